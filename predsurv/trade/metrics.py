"""A run's facts as metrics.

Kept apart so that trading works the same with nobody listening.
"""

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
"""How often (ns of event time) the portfolio's figures are computed."""

_OUTCOMES: Final[dict[type, str]] = {
    OrderAccepted: "accepted",
    OrderRejected: "rejected",
    OrderCancelled: "cancelled",
    OrderUnknown: "unknown",
    Fill: "filled",
}


class TradeMetrics:
    """An ``Audience`` that counts; ``watch`` names the engine whose portfolio to show."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._engine: Engine | None = None
        self._next = 0

    def watch(self, engine: Engine) -> None:
        """Show this engine's portfolio from now on."""
        self._engine = engine
        self._portfolio(engine)

    def heard(self, venue: VenueName, batch: Sequence[MarketEvent]) -> None:
        """Count a feed's batch."""
        self._metrics.observe_batch(venue, batch)
        if self._engine is not None and batch[-1].ts_recv >= self._next:
            self._next = batch[-1].ts_recv + REFRESH
            self._portfolio(self._engine)

    def happened(self, event: Event, step: Step) -> None:
        """Count signals, refusals and what became of orders."""
        for decision in step.decisions:
            if decision.wish is not None:
                self._metrics.count_signal(decision.wish.strategy, decision.wish.signal)
            if isinstance(decision.approved.command, PlaceOrder):
                self._metrics.count_order(decision.approved.command.key.venue, "submitted")
        for refused in step.refusals:
            self._metrics.count_signal(refused.intent.strategy, refused.intent.signal)
            self._metrics.count_order("", "refused")
        outcome = _OUTCOMES.get(type(event))
        if outcome is not None and step.booked:
            self._metrics.count_order(event.key.venue, outcome)  # type: ignore[union-attr]  # account events have keys

    def _portfolio(self, engine: Engine) -> None:
        portfolio, worth = engine.ledger.portfolio, engine.desk.worth
        cash = sum(portfolio.cash(venue) for venue in portfolio.venues())
        cost = sum(position.cost for position in portfolio.lots.positions())
        earnings = portfolio.earnings.values()
        equity = worth.equity()
        figures = {
            "equity": equity,
            "cash": cash,
            "positions": equity - cash,
            "exposure": engine.desk.exposure(),
            "realised": sum(earned.realised for earned in earnings),
            "unrealised": equity - cash - cost,
            "fees": sum(earned.fees for earned in earnings),
        }
        for kind, value in figures.items():
            self._metrics.set_portfolio(kind, value)
