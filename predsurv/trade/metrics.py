"""The metrics of a trading run: counters of intents and orders, gauges of the portfolio."""

from collections.abc import Sequence
from typing import Final

from predsurv.core.events import (
    Event,
    Fill,
    MarketEvent,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    OrderUnknown,
)
from predsurv.core.ids import VenueName
from predsurv.core.orders import PlaceOrder
from predsurv.engine.engine import Engine, Step
from predsurv.telemetry.metrics import Metrics

REFRESH: Final = 1_000_000_000
"""How often (ns of event time) the portfolio's gauges are set."""

_OUTCOMES: Final[dict[type, str]] = {
    OrderAccepted: "accepted",
    OrderRejected: "rejected",
    OrderCancelled: "cancelled",
    OrderUnknown: "unknown",
    Fill: "filled",
}


class TradeMetrics:
    """A ``RunObserver`` that counts into ``metrics`` and shows the portfolio of ``engine``."""

    def __init__(self, metrics: Metrics, engine: Engine) -> None:
        self._metrics, self._engine = metrics, engine
        self._next_refresh = 0
        self._set_portfolio()

    def on_batch(self, venue: VenueName, batch: Sequence[MarketEvent]) -> None:
        """Count a feed's batch."""
        self._metrics.observe_batch(venue, batch)
        if batch[-1].ts_recv >= self._next_refresh:
            self._next_refresh = batch[-1].ts_recv + REFRESH
            self._set_portfolio()

    def on_step(self, event: Event, step: Step) -> None:
        """Count signals, refusals, and the outcome of orders."""
        for decision in step.decisions:
            if decision.intent is not None:
                self._metrics.count_signal(decision.intent.strategy, decision.intent.signal)
            if isinstance(decision.approved.command, PlaceOrder):
                self._metrics.count_order(decision.approved.command.key.venue, "submitted")
        for refused in step.refusals:
            self._metrics.count_signal(refused.intent.strategy, refused.intent.signal)
            self._metrics.count_order("", "refused")
        outcome = _OUTCOMES.get(type(event))
        if outcome is not None and step.booked:
            self._metrics.count_order(event.key.venue, outcome)  # type: ignore[union-attr]  # account events have keys

    def _set_portfolio(self) -> None:
        portfolio = self._engine.account.portfolio
        cash = sum(portfolio.cash(venue) for venue in portfolio.venues())
        cost = sum(position.cost for position in portfolio.positions.totals())
        pnl = portfolio.pnl.values()
        equity = self._engine.valuation.equity()
        gauges = {
            "equity": equity,
            "cash": cash,
            "positions": equity - cash,
            "exposure": self._engine.exposure(),
            "realised": sum(each.realised for each in pnl),
            "unrealised": equity - cash - cost,
            "fees": sum(each.fees for each in pnl),
        }
        for kind, value in gauges.items():
            self._metrics.set_portfolio(kind, value)
