"""The metrics of a trading run: counters of intents and orders, gauges of the account."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from predsurv.core.events import (
    CancelRejected,
    Event,
    Fill,
    FillFailed,
    Gap,
    MarketEvent,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    OrderUnknown,
)
from predsurv.core.ids import VenueName
from predsurv.core.orders import CancelIntent, PlaceOrder, Refused
from predsurv.engine.engine import Engine
from predsurv.engine.step import Step
from predsurv.ports import Clock
from predsurv.telemetry.metrics import Metrics
from predsurv.telemetry.trading import TradingMetrics

REFRESH: Final = 1_000_000_000
"""How often (ns of event time) the portfolio's gauges are set."""

_OUTCOMES: Final[dict[type, str]] = {
    OrderAccepted: "accepted",
    OrderRejected: "rejected",
    OrderCancelled: "cancelled",
    CancelRejected: "cancel_rejected",
    OrderUnknown: "unknown",
    Fill: "filled",
    FillFailed: "failed",
}


class TradeMetrics:
    """A ``RunObserver`` that counts into ``metrics`` and ``trading`` and shows the account of ``engine``."""

    def __init__(self, metrics: Metrics, trading: TradingMetrics, engine: Engine, clock: Clock) -> None:
        self._metrics, self._trading, self._engine, self._clock = metrics, trading, engine, clock
        self._next_refresh = 0
        self._set_orders()
        self._set_portfolio()

    def on_turn(self) -> None:
        """Show that the run is not stuck."""
        self._metrics.set_pulse(self._clock.now())

    def on_batch(self, venue: VenueName, batch: Sequence[MarketEvent]) -> None:
        """Count a feed's batch."""
        self._metrics.observe_batch(venue, batch)
        for event in batch:
            if isinstance(event, Gap):
                self._metrics.count_gap(venue, event.reason)
        if batch[-1].ts_recv >= self._next_refresh:
            self._next_refresh = batch[-1].ts_recv + REFRESH
            self._set_portfolio()

    def on_step(self, event: Event, step: Step) -> None:
        """Count signals, refusals, and the outcome of orders."""
        for decision in step.decisions:
            if decision.intent is not None:
                self._trading.count_signal(decision.intent.strategy, decision.intent.signal)
            if isinstance(decision.approved.command, PlaceOrder):
                self._trading.count_order(decision.approved.command.key.venue, "submitted")
        for refused in step.refusals:
            self._trading.count_signal(refused.intent.strategy, refused.intent.signal)
            self._trading.count_order(self._venue_of(refused), "refused")
        outcome = _OUTCOMES.get(type(event))
        if outcome is not None and step.booked:
            self._trading.count_order(event.key.venue, outcome)  # type: ignore[union-attr]  # account events have keys
        self._set_orders()

    def _venue_of(self, refused: Refused) -> str:
        intent = refused.intent
        if not isinstance(intent, CancelIntent):
            return intent.key.venue
        order = self._engine.account.orders.get(intent.client_order_id)
        return "" if order is None else order.key.venue  # of an order that nobody knows the venue is not known either

    def _set_orders(self) -> None:
        unknown = Counter(order.key.venue for order in self._engine.account.orders.live() if order.state == "unknown")
        for venue in self._engine.account.portfolio.venues():
            self._trading.set_unknown(venue, unknown[venue])
        self._trading.set_trading(self._engine.control.trading)

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
            self._trading.set_portfolio(kind, value)
