"""Backtests from Python: what ``predsurv.backtest`` is."""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from predsurv.api.data import Data
from predsurv.api.fetching import call_apart, fetch_span
from predsurv.api.times import Time, to_span
from predsurv.core.num import Money
from predsurv.engine.strategy import Strategy
from predsurv.net.clock import SystemClock
from predsurv.strategies.parameters import render_parameters
from predsurv.trade.backtesting import BacktestResult, run_backtest
from predsurv.venues.registry import open_venue


def backtest(
    data: Data,
    strategies: Strategy | Sequence[Strategy],
    venue: str,
    start: Time,
    end: Time,
    *,
    cash: Money | None = None,
    latency: int | None = None,
) -> BacktestResult:
    """Run strategies over what was recorded of ``venue`` from ``start`` to before ``end``.

    The engine, risk limits and fills are those of ``predsurv backtest``, with the settings of ``data.config``; ``cash``
    (micros) and ``latency`` (ns) in place of its ``trading.starting_cash`` and ``trading.latency``. May be called
    where an event loop runs, such as in a notebook. A strategy is run once: make a new one for the next backtest.

    Raises StrategyError when the code of a strategy fails, ConfigError when nothing was recorded in that time,
    IntegrityError when it is damaged.
    """
    span = to_span(start, end)
    fetch_span(data.config, venue, span)
    given = {"starting_cash": cash, "latency": latency}
    trading = replace(data.config.trading, **{name: value for name, value in given.items() if value is not None})
    several = strategies if isinstance(strategies, Sequence) else [strategies]
    trading = replace(trading, strategies=tuple(str(each.name) for each in several))
    config = replace(data.config, trading=trading, strategies=_parameters(several))
    return call_apart(lambda: run_backtest(config, open_venue(venue, config, SystemClock()), span, several))


def _parameters(strategies: Sequence[Strategy]) -> dict[str, dict[str, str]]:
    """Return the parameters of strategies by their names, for what the run keeps of its settings."""
    found = ((str(each.name), getattr(each, "params", None)) for each in strategies)
    return {name: render_parameters(params) for name, params in found if isinstance(params, Struct)}
