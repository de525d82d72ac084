"""The trading engine: one event in, commands out; the same live, on paper and in a backtest.

Nothing here waits, reads a clock or does I/O: time is what the events say.
"""

from collections.abc import Callable, Sequence
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
    Gap,
    MarketChange,
    MarketResolved,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    OrderUnknown,
    Quote,
    Tick,
    Trade,
    Unwanted,
    VenuePhase,
)
from predsurv.core.ids import InstrumentKey, StrategyName
from predsurv.core.num import Money
from predsurv.core.orders import Approved, CancelIntent, Intent, Refused
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.account.portfolio import Settlement
from predsurv.engine.books.available import AvailableBooks
from predsurv.engine.call_filter import BestBefore, CallFilter, best_prices
from predsurv.engine.context import StrategyContext
from predsurv.engine.interest import EVERYTHING
from predsurv.engine.risk.checks import RiskLimits
from predsurv.engine.risk.gate import GateDecision, RiskGate
from predsurv.engine.risk.state import RiskState
from predsurv.engine.strategy import Strategy
from predsurv.state.market_cache import MarketCache

NoteKind = Literal["halted", "resumed", "duplicate", "stale", "foreign", "day", "phase"]


class EngineNote(Struct, frozen=True, array_like=True, tag="note"):
    """Something for people and the journal; ``equity`` (micros) is set for kind ``day``, a new UTC day.

    ``duplicate``, ``stale`` and ``foreign`` name an account event that changed nothing, ``phase`` a venue's phase.
    """

    ts: int
    kind: NoteKind
    detail: str
    equity: Money | None = None


class Step(Struct, frozen=True):
    """The outcome of one event, in order. ``booked``: the event itself changed the account."""

    decisions: tuple[GateDecision, ...] = ()
    refusals: tuple[Refused, ...] = ()
    settlements: tuple[Settlement, ...] = ()
    notes: tuple[EngineNote, ...] = ()
    booked: bool = False

    @property
    def commands(self) -> tuple[Approved, ...]:
        """The commands for the brokers."""
        return tuple(decision.approved for decision in self.decisions)


EMPTY_STEP: Final = Step()
"""Nothing happened; returned as this very object, so that callers may compare by identity."""


class Engine:
    """Folds events into cache and account, calls the strategies and puts their intents through the risk gate.

    ``cache``, ``account``, ``books`` and ``valuation`` are for reading. ``run`` is the prefix of its order ids.
    """

    def __init__(
        self,
        *,
        run: str,
        limits: RiskLimits,
        strategies: Sequence[Strategy],
        cache: MarketCache,
        account: TradingAccount,
    ) -> None:
        self.cache, self.account = cache, account
        self.books = AvailableBooks(cache)
        self._risk = RiskState(cache, account, self.books)
        self.valuation = self._risk.valuation
        self._gate = RiskGate(run, limits, self._risk, account)
        self._strategies = tuple(self._called(each) for each in strategies)
        self._covering = tuple(each for each in self._strategies if each.strategy.interest.coverage)
        self._needs_before = any(each.filter is not None and each.filter.needs_before for each in self._strategies)
        self._handlers: dict[type, Callable[[Any], Step]] = {
            BookDelta: self._on_market_data,
            BookSnapshot: self._on_market_data,
            Trade: self._on_market_data,
            Quote: self._on_market_data,
            MarketChange: self._on_market_change,
            VenuePhase: self._on_market_change,
            MarketResolved: self._on_resolved,
            Tick: self._call_strategies,
            Gap: self._on_gap,
            Unwanted: self._on_gap,
            **dict.fromkeys((OrderAccepted, OrderRejected, OrderCancelled, OrderUnknown, Fill), self._on_account),
        }

    @property
    def halted(self) -> bool:
        """Return whether ``halt`` is in force."""
        return self._risk.halted

    def exposure(self, key: InstrumentKey | None = None) -> Money:
        """Return the cost of positions plus live buys: of one instrument, or of all."""
        return self._risk.exposure(key)

    def step(self, event: Event) -> Step:
        """Fold one event in and return what to do about it.

        The engine's time never goes back: an older event is handled at the time of the latest.
        """
        self._risk.now = max(self._risk.now, event.ts_recv)
        self.cache.advance(self._risk.now)
        handler = self._handlers.get(type(event))
        if handler is None:
            self.cache.apply(event)  # type: ignore[arg-type]  # account events and ticks have handlers
            step = EMPTY_STEP
        else:
            step = handler(event)
        equity = self.valuation.roll_day(self._risk.now)
        if equity is None:
            return step
        note = EngineNote(self._risk.now, "day", "a new UTC day", equity)
        return replace(step, notes=(*step.notes, note))

    def halt(self, ts: int, reason: str) -> Step:
        """Cancel every live order and send no new one until ``resume``."""
        already, self._risk.halted = self._risk.halted, True
        self._risk.now = max(self._risk.now, ts)
        notes = () if already else (EngineNote(self._risk.now, "halted", reason),)
        return Step(decisions=self._gate.cancel_all(), notes=notes)

    def resume(self, ts: int) -> Step:
        """Lift a halt; nothing is sent any more once the engine was shut down."""
        was_halted, self._risk.halted = self._risk.halted, False
        if not was_halted or self._risk.shutting_down:
            return EMPTY_STEP
        return Step(notes=(EngineNote(max(ts, self._risk.now), "resumed", "by request"),))

    def shut_down(self, ts: int) -> Step:
        """Cancel every live order and stop calling strategies, irreversibly: the run is ending."""
        if self._risk.shutting_down:
            return EMPTY_STEP
        self._risk.shutting_down = True
        self._risk.now = max(self._risk.now, ts)
        return Step(decisions=self._gate.cancel_all())

    def _called(self, strategy: Strategy) -> "_CalledStrategy":
        interest = strategy.interest
        view = StrategyContext(strategy.name, self.cache, self.books, self.account, self._risk)
        if interest == EVERYTHING:
            return _CalledStrategy(strategy, view, None)
        return _CalledStrategy(
            strategy, view, CallFilter(strategy.name, interest, self.cache, self.books, self.account)
        )

    def _on_market_data(self, event: BookDelta | BookSnapshot | Trade | Quote) -> Step:
        before = self._best_before(event.key) if self._needs_before else None
        self.cache.apply(event)
        if isinstance(event, BookDelta | BookSnapshot):
            self.books.on_book_event(event)
        self._risk.last_recv[event.key.venue] = event.ts_recv
        # Strategies are not called for an untrusted instrument, until a snapshot restores its book.
        # A trade may be told on an outcome whose book is the mirror of the other's.
        trusted = self.cache.trusted_book(self.cache.primary_of(event.key)) is not None
        return self._call_strategies(event, before=before) if trusted else EMPTY_STEP

    def _best_before(self, key: InstrumentKey) -> BestBefore | None:
        book = self.cache.book(key)
        return None if book is None or not book.trusted else best_prices(book)

    def _on_gap(self, event: Gap | Unwanted) -> Step:
        self.cache.apply(event)
        return self._call(self._covering, event) if self._covering else EMPTY_STEP

    def _on_market_change(self, event: MarketChange | VenuePhase) -> Step:
        if isinstance(event, MarketChange):
            self.cache.apply(event)
            self._risk.last_recv[event.venue] = event.ts_recv
            return self._call_strategies(event)
        # A phase is asked for: that the venue answered says nothing of the stream of books, hence no ``last_recv``.
        before = self.cache.phase(event.venue)
        self.cache.apply(event)
        if before == event.phase:
            return EMPTY_STEP
        again = self._risk.blocked and before == "closed"  # cancels sent in that phase were rejected
        step = Step(decisions=self._gate.cancel_all()) if again else self._call_strategies(event)
        return replace(step, notes=(EngineNote(self._risk.now, "phase", f"{event.venue} is {event.phase}"),))

    def _on_resolved(self, event: MarketResolved) -> Step:
        self.cache.apply(event)
        booked = self.account.portfolio.has_traded(event.venue, event.market_id)
        settlements = self.account.settle(event)
        step = self._call_strategies(event)
        return Step(step.decisions, step.refusals, settlements, booked=True) if booked else step

    def _on_account(self, event: AccountEvent) -> Step:
        try:
            result = self.account.apply(event)
        except BrokenInvariant as error:
            return self.halt(event.ts_recv, str(error))
        order = self.account.orders.get(event.client_order_id)
        if order is None and isinstance(event, Fill):
            return self.halt(event.ts_recv, f"fill {event.trade_id} of an order that is not ours; reconcile first")
        if order is None or result != "applied":
            kind: NoteKind = "foreign" if result == "applied" else result
            return Step(notes=(EngineNote(self._risk.now, kind, f"{type(event).__name__} {event.client_order_id}"),))
        if isinstance(event, Fill):
            self.books.on_fill(event)
        if self._risk.blocked and order.state == "open":  # it was unknown when live orders were cancelled
            step = Step(decisions=self._gate.cancel([order.client_order_id]))
        else:
            step = self._call_strategies(event, order.strategy)
        return Step(step.decisions, step.refusals, booked=True)

    def _call_strategies(
        self, event: Event, only: StrategyName | None = None, before: BestBefore | None = None
    ) -> Step:
        called = self._strategies
        if only is not None:
            called = tuple(each for each in called if each.strategy.name == only)
        return self._call(called, event, before)

    def _call(self, called: "Sequence[_CalledStrategy]", event: Event, before: BestBefore | None = None) -> Step:
        if self._risk.blocked:
            return EMPTY_STEP
        intents: list[Intent | CancelIntent] = []
        for each in called:
            if each.filter is None or each.filter.admits(event, self._risk.now, before):
                intents += each.strategy.on_event(event, each.view)
        return Step(*self._gate.evaluate(intents)) if intents else EMPTY_STEP


class _CalledStrategy(Struct, frozen=True):
    """A strategy, what it can read, and which events it is called with; without a filter with every one."""

    strategy: Strategy
    view: StrategyContext
    filter: CallFilter | None
