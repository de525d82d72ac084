"""One event in, decisions out: the same function live, on paper and in a backtest.

Kept apart from the runner because everything that decides about money is here, and none of it
waits, reads a clock or touches a file.
"""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.errors import BrokenInvariant
from predsurv.core.events import (
    AccountEvent,
    BookDelta,
    BookSnapshot,
    Event,
    Fill,
    MarketChange,
    MarketResolved,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    OrderUnknown,
    Quote,
    Tick,
    Trade,
)
from predsurv.core.ids import StrategyName, VenueName
from predsurv.core.num import Money
from predsurv.core.orders import Approved, Refused
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.account.portfolio import Settlement
from predsurv.engine.books.primary import PrimaryBooks
from predsurv.engine.books.visible import VisibleBooks
from predsurv.engine.context import StrategyContext
from predsurv.engine.risk.checks import RiskLimits
from predsurv.engine.risk.gate import GateDecision, RiskGate, Wish
from predsurv.engine.risk.state import RiskState
from predsurv.engine.strategy import Strategy
from predsurv.state.market_cache import MarketCache

NoteKind = Literal["halted", "resumed", "duplicate", "stale", "foreign", "day"]


class EngineNote(Struct, frozen=True, array_like=True, tag="note"):
    """Something a person or the journal should know; ``equity`` (micros) is set for kind ``day``."""

    ts: int
    kind: NoteKind
    detail: str
    equity: Money | None = None


class Step(Struct, frozen=True):
    """What one event led to, in order. ``booked``: the event itself changed what is ours."""

    decisions: tuple[GateDecision, ...] = ()
    refusals: tuple[Refused, ...] = ()
    settlements: tuple[Settlement, ...] = ()
    notes: tuple[EngineNote, ...] = ()
    booked: bool = False

    @property
    def commands(self) -> tuple[Approved, ...]:
        """What the brokers are to be given."""
        return tuple(decision.approved for decision in self.decisions)


NOTHING: Final = Step()


class EngineSetup(Struct, frozen=True, kw_only=True):
    """What an engine is told once: ``run`` names its orders, ``mirrored`` venues keep one book a market."""

    run: str
    limits: RiskLimits
    mirrored: AbstractSet[VenueName] = frozenset()


class Engine:
    """Folds events into cache and ledger, asks the strategies, and lets the gate judge them."""

    def __init__(
        self, setup: EngineSetup, strategies: Sequence[Strategy], cache: MarketCache, ledger: TradingAccount
    ) -> None:
        self.cache, self.ledger = cache, ledger
        self.mirror = PrimaryBooks(cache, setup.mirrored)
        self._sight = VisibleBooks(cache, self.mirror)
        self.desk = RiskState(cache, ledger, self._sight)
        self._gate = RiskGate(setup.run, setup.limits, self.desk, ledger)
        self._views = tuple((each, StrategyContext(each.name, cache, ledger, self.desk)) for each in strategies)
        self._handlers: dict[type, Callable[[Any], Step]] = {
            BookDelta: self._on_book,
            BookSnapshot: self._on_book,
            Trade: self._on_print,
            Quote: self._on_print,
            MarketChange: self._on_change,
            MarketResolved: self._on_resolved,
            Tick: self._ask,
            **dict.fromkeys((OrderAccepted, OrderRejected, OrderCancelled, OrderUnknown, Fill), self._on_account),
        }

    def step(self, event: Event) -> Step:
        """Take one event in; return what is to be done about it.

        The engine's time never goes back: an event older than the last is decided on at the last.
        """
        self.desk.now = max(self.desk.now, event.ts_recv)
        handler = self._handlers.get(type(event))
        if handler is None:
            self.cache.apply(event)  # type: ignore[arg-type]  # account events and ticks have handlers
            done = NOTHING
        else:
            done = handler(event)
        equity = self.desk.worth.turn_day(self.desk.now)
        if equity is None:
            return done
        note = EngineNote(self.desk.now, "day", "a new UTC day", equity)
        return replace(done, notes=(*done.notes, note))

    def halt(self, ts: int, reason: str) -> Step:
        """Send nothing new from now on and take back every open order; sticky until ``resume``."""
        was, self.desk.halted = self.desk.halted, True
        self.desk.now = max(self.desk.now, ts)
        return Step(
            decisions=self._gate.cancel_all(), notes=() if was else (EngineNote(self.desk.now, "halted", reason),)
        )

    def resume(self, ts: int) -> Step:
        """Trade again, unless the run is ending."""
        was, self.desk.halted = self.desk.halted, False
        if not was or self.desk.retired:
            return NOTHING
        return Step(notes=(EngineNote(max(ts, self.desk.now), "resumed", "by request"),))

    def retire(self, ts: int) -> Step:
        """Take back every open order and ask nobody any more: the run is ending, and nothing undoes that."""
        if self.desk.retired:
            return NOTHING
        self.desk.retired = True
        self.desk.now = max(self.desk.now, ts)
        return Step(decisions=self._gate.cancel_all())

    def _on_book(self, event: BookDelta | BookSnapshot) -> Step:
        self.cache.apply(event)
        self._sight.changed(event)
        return self._heard(event)

    def _on_print(self, event: Trade | Quote) -> Step:
        self.cache.apply(event)
        return self._heard(event)

    def _heard(self, event: BookDelta | BookSnapshot | Trade | Quote) -> Step:
        self.desk.seen[event.key.venue] = event.ts_recv
        # Nobody decides on what cannot be believed: no callback until a snapshot has healed the book.
        return NOTHING if self.cache.trusted_book(event.key) is None else self._ask(event)

    def _on_change(self, event: MarketChange) -> Step:
        self.cache.apply(event)
        self.desk.seen[event.venue] = event.ts_recv
        return self._ask(event)

    def _on_resolved(self, event: MarketResolved) -> Step:
        self.cache.apply(event)
        booked = self.ledger.portfolio.traded(event.venue, event.market_id)
        settled = self.ledger.settle(event)
        asked = self._ask(event)
        return Step(asked.decisions, asked.refusals, settled, booked=True) if booked else asked

    def _on_account(self, event: AccountEvent) -> Step:
        try:
            applied = self.ledger.apply(event)
        except BrokenInvariant as error:
            return self.halt(event.ts_recv, str(error))
        order = self.ledger.blotter.order(event.client_order_id)
        if order is None and isinstance(event, Fill):
            return self.halt(event.ts_recv, f"fill {event.trade_id} of an order that is not ours; reconcile first")
        if order is None or applied != "applied":
            kind: NoteKind = "foreign" if applied == "applied" else applied
            return Step(notes=(EngineNote(self.desk.now, kind, f"{type(event).__name__} {event.client_order_id}"),))
        if isinstance(event, Fill):
            self._sight.took(event)
        if self.desk.closed and order.state == "open":
            asked = Step(decisions=self._gate.cancel([order.client_order_id]))  # it was unknown when we stopped
        else:
            asked = self._ask(event, order.strategy)
        return Step(asked.decisions, asked.refusals, booked=True)

    def _ask(self, event: Event, only: StrategyName | None = None) -> Step:
        if self.desk.closed:
            return NOTHING
        wishes: list[Wish] = []
        for strategy, view in self._views:
            if only is None or strategy.name == only:
                wishes += strategy.on_event(event, view)
        return Step(*self._gate.judge(wishes)) if wishes else NOTHING
