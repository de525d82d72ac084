"""Prediction-market surveillance: scan, collect, mine, trade.

The package itself stays empty so that importing it costs nothing: start from `predsurv.cli` or from one of the jobs.
"""

__version__ = "0.1.0"
