"""The trading engine: one event in, commands out; the same live, on paper and in a backtest.

Nothing here waits, reads a clock or does I/O: time is what the events say.
"""

from collections.abc import Callable, Iterable, Sequence
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
from predsurv.core.num import Money, format_micros
from predsurv.core.orders import Approved, CancelIntent, Intent, Refused
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.account.portfolio import Settlement
from predsurv.engine.books.available import AvailableBooks
from predsurv.engine.call_filter import BestBefore, CallFilter, best_prices
from predsurv.engine.context import StrategyContext
from predsurv.engine.interest import EVERYTHING
from predsurv.engine.risk.checks import RiskLimits
from predsurv.engine.risk.gate import GateDecision, RiskGate
from predsurv.engine.risk.state import RiskState, TradingState
from predsurv.engine.strategy import Strategy
from predsurv.state.market_cache import MarketCache

LOSS_STANDS: Final = 10_000_000_000
"""How long (ns) the day's loss has to stand at its limit before only sales are sent for the rest of the day."""
NoteKind = Literal["halted", "reducing", "loss_limit", "resumed", "duplicate", "stale", "foreign", "day", "phase"]


class EngineNote(Struct, frozen=True, array_like=True, tag="note"):
    """Something for people and the journal; ``equity`` (micros) is set for kind ``day``, a new UTC day.

    ``loss_limit``: the day's loss reached its limit, and positions are only reduced until the next. ``duplicate``,
    ``stale`` and ``foreign`` name an account event that changed nothing, ``phase`` a venue's phase.
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
        self._max_daily_loss = limits.max_daily_loss
        self._loss_since: int | None = None
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
            Tick: self._on_tick,
            Gap: self._on_gap,
            Unwanted: self._on_gap,
            **dict.fromkeys((OrderAccepted, OrderRejected, OrderCancelled, OrderUnknown, Fill), self._on_account),
        }

    @property
    def trading(self) -> TradingState:
        """What may be sent now."""
        return self._risk.trading

    @property
    def requested(self) -> TradingState:
        """Return what ``halt``, ``reduce`` and ``resume`` left in force."""
        return self._risk.requested

    def continue_minute(self, sent: Iterable[int]) -> None:
        """Count orders that an earlier run sent (ns UTC, in order) towards the limit of orders per minute."""
        self._risk.sent.extend(sent)

    def continue_day(self, ts: int, equity: Money, *, lost_too_much: bool) -> None:
        """Go on with the UTC day that ``ts`` (ns) is in, which an earlier run began with ``equity``."""
        self.valuation.begin_day(ts, equity)
        self._risk.lost_too_much = lost_too_much

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
        notes = [*step.notes, EngineNote(self._risk.now, "day", "a new UTC day", equity)]
        if self._risk.lost_too_much:
            self._risk.lost_too_much = False
            notes += self._resumed("a new UTC day")
        return replace(step, notes=tuple(notes))

    def halt(self, ts: int, reason: str) -> Step:
        """Cancel every live order and send no new one until ``resume``."""
        already, self._risk.requested = self._risk.halted, "halted"
        self._risk.now = max(self._risk.now, ts)
        notes = () if already else (EngineNote(self._risk.now, "halted", reason),)
        return Step(decisions=self._gate.cancel_forbidden(), notes=notes)

    def reduce(self, ts: int, reason: str) -> Step:
        """Cancel every live buy and send sales only until ``resume``; a halt in force becomes this."""
        before, self._risk.requested = self._risk.trading, "reducing"
        self._risk.now = max(self._risk.now, ts)
        notes = () if before == "reducing" else (EngineNote(self._risk.now, "reducing", reason),)
        return Step(decisions=self._gate.cancel_forbidden(), notes=notes)

    def resume(self, ts: int) -> Step:
        """Lift what ``halt`` or ``reduce`` ordered; the day's limit of losses stays in force.

        Nothing is sent any more once the engine was shut down.
        """
        before, self._risk.requested = self._risk.requested, "active"
        self._risk.now = max(self._risk.now, ts)
        if before == "active" or self._risk.shutting_down:
            return EMPTY_STEP
        return Step(notes=self._resumed("by request"))

    def shut_down(self, ts: int) -> Step:
        """Cancel every live order and stop calling strategies, irreversibly: the run is ending."""
        if self._risk.shutting_down:
            return EMPTY_STEP
        self._risk.shutting_down = True
        self._risk.now = max(self._risk.now, ts)
        return Step(decisions=self._gate.cancel_forbidden())

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

    def _resumed(self, reason: str) -> tuple[EngineNote, ...]:
        """Return the note of what is in force after something was lifted."""
        trading = self._risk.trading
        kind: NoteKind = "resumed" if trading == "active" else trading
        detail = reason if trading == "active" else f"{reason}; still in force"
        return (EngineNote(self._risk.now, kind, detail),)

    def _on_tick(self, event: Tick) -> Step:
        step = self._call_strategies(event)
        if self._risk.lost_too_much or not self._loss_stands():
            return step
        before, self._risk.lost_too_much = self._risk.trading, True
        detail = f"{format_micros(self.valuation.day_loss())} USD were lost since midnight UTC"
        note = EngineNote(self._risk.now, "loss_limit", detail)
        decisions = (*step.decisions, *self._gate.cancel_forbidden()) if before == "active" else step.decisions
        return replace(step, decisions=decisions, notes=(*step.notes, note))

    def _loss_stands(self) -> bool:
        """Return whether the day's loss has been at its limit for LOSS_STANDS: a book may be without bids for once."""
        if self.valuation.day_loss() < self._max_daily_loss:
            self._loss_since = None
            return False
        if self._loss_since is None:
            self._loss_since = self._risk.now
        return self._risk.now - self._loss_since >= LOSS_STANDS

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
        step = self._call_strategies(event)
        if before == "closed":  # cancels sent in that phase were rejected
            step = replace(step, decisions=(*self._gate.cancel_forbidden(), *step.decisions))
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
        step = self._call_strategies(event, order.strategy)
        decisions = step.decisions
        if order.state == "open" and not self._risk.may_rest(order.side):  # it was unknown when others were cancelled
            decisions = (*decisions, *self._gate.cancel([order.client_order_id]))
        return Step(decisions, step.refusals, booked=True)

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
