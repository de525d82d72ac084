"""Prediction-market surveillance: scan, collect, mine, trade; ``docs/api.md`` says what ``import predsurv`` offers.

Each name is imported when it is first used, so that importing the package costs nothing.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOMES = {
    "open": ("predsurv.api.data", "open_data"),
    "backtest": ("predsurv.api.backtests", "backtest"),
    "Data": ("predsurv.api.data", "Data"),
    "Result": ("predsurv.trade.backtesting", "BacktestResult"),
    "Strategy": ("predsurv.strategies.own", "OwnStrategy"),
    "View": ("predsurv.state.view", "View"),
    "Interest": ("predsurv.engine.interest", "Interest"),
    "BookFilter": ("predsurv.engine.interest", "BookFilter"),
    "EventFilter": ("predsurv.engine.interest", "EventFilter"),
    "MarketChoice": ("predsurv.engine.interest", "MarketChoice"),
    "Price": ("predsurv.core.num", "Price"),
    "Size": ("predsurv.core.num", "Size"),
    "Money": ("predsurv.core.num", "Money"),
    "Ratio": ("predsurv.core.num", "Ratio"),
    "Duration": ("predsurv.core.durations", "Duration"),
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    """Return what ``import predsurv`` offers under ``name``; raises AttributeError for anything else."""
    if name not in _HOMES:
        raise AttributeError(f"module 'predsurv' has no attribute {name!r}; it offers {', '.join(_HOMES)}")
    module, attribute = _HOMES[name]
    found = globals()[name] = getattr(import_module(module), attribute)
    return found


def __dir__() -> list[str]:
    """Return the names for completion."""
    return [*globals(), *_HOMES]
