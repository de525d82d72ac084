"""Trading decisions: strategies' intents, risk checks, and the account they move.

Nothing here waits, reads a clock or does I/O: the same code decides live, on paper and in a backtest.
"""
