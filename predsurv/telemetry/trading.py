"""The metrics that only a trader has: signals, orders and the account."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from predsurv.telemetry.families import ClosedLabel, Counter, Family, Gauge
from predsurv.telemetry.metrics import VENUES

OUTCOMES: Final = (
    "submitted",
    "refused",
    "accepted",
    "rejected",
    "cancelled",
    "cancel_rejected",
    "filled",
    "failed",
    "unknown",
)
PORTFOLIO_KINDS: Final = ("equity", "cash", "positions", "exposure", "realised", "unrealised", "fees")


class TradingMetrics:
    """Written by one thread, read by any thread that scrapes ``registry``.

    ``account`` is the name of what is traded with, such as ``paper``; ``signals`` are those that each strategy may
    give with its intents.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        account: str = "paper",
        venues: Collection[str] = VENUES,
        signals: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        given = signals or {}
        venue, named = ClosedLabel("venue", venues), ClosedLabel("account", [account])
        signal_type = ClosedLabel("signal_type", (name for names in given.values() for name in names))
        self._account = account
        self._signals = Counter(
            "predsurv_strategy_signals",
            "Intents of strategies.",
            [ClosedLabel("strategy", given), signal_type],
            only=[(strategy, name) for strategy, names in given.items() for name in names],
        )
        self._orders = Counter(
            "predsurv_orders", "Orders by what became of them.", [venue, ClosedLabel("outcome", OUTCOMES)]
        )
        self._unknown = Gauge("predsurv_orders_unknown", "Orders whose fate is not known now.", [venue], start=0)
        self._halted = Gauge("predsurv_halted", "1 while trading is halted, else 0.", [named], start=0)
        self._reducing = Gauge("predsurv_reducing", "1 while positions are only reduced, else 0.", [named], start=0)
        self._portfolio = Gauge(
            "predsurv_portfolio_value_usd",
            "Value of the portfolio in dollars.",
            [named, ClosedLabel("kind", PORTFOLIO_KINDS)],
        )
        states = (self._unknown, self._halted, self._reducing)
        self.families: Sequence[Family] = (self._signals, self._orders, *states, self._portfolio)
        registry.register(self)

    def count_signal(self, strategy: str, signal_type: str) -> None:
        """Count an intent of a strategy."""
        self._signals.add((strategy, signal_type))

    def count_order(self, venue: str, outcome: str) -> None:
        """Count a change of an order: its ``outcome`` is one of OUTCOMES."""
        self._orders.add((venue, outcome))

    def set_unknown(self, venue: str, orders: int) -> None:
        """Set the number of orders whose fate is not known."""
        self._unknown.set((venue,), orders)

    def set_trading(self, trading: str) -> None:
        """Set what may be sent: ``active``, ``reducing`` or ``halted``."""
        self._halted.set((self._account,), trading == "halted")
        self._reducing.set((self._account,), trading == "reducing")

    def set_portfolio(self, kind: str, value: int) -> None:
        """Set a figure of the portfolio; ``kind`` is one of PORTFOLIO_KINDS, ``value`` in micros."""
        self._portfolio.set((self._account, kind), value / 1_000_000)

    def collect(self) -> Iterable[Metric]:
        """Return every metric; called by the registry, in the thread that scrapes."""
        return [family.snapshot() for family in self.families]
