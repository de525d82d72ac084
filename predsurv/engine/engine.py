"""The trading engine: one event in, commands out; the same live, on paper and in a backtest.

Nothing here waits, reads a clock or does I/O: time is what the events say.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

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
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import Money, format_micros
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.books.available import AvailableBooks
from predsurv.engine.risk.checks import RiskLimits
from predsurv.engine.risk.gate import RiskGate
from predsurv.engine.risk.state import RiskState, TradingState
from predsurv.engine.step import EMPTY_STEP, EngineNote, NoteKind, Step
from predsurv.engine.strategy import Strategy
from predsurv.engine.strategy_calls import StrategyCalls
from predsurv.state.market_cache import MarketCache

LOSS_STANDS: Final = 10_000_000_000
"""How long (ns) the day's loss has to stand at its limit before only sales are sent for the rest of the day."""


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
        self._calls = StrategyCalls(strategies, self._gate, self._risk, cache=cache, account=account)
        self._handlers: dict[type, Callable[[Any], Step]] = {
            BookDelta: self._on_market_data,
            BookSnapshot: self._on_market_data,
            Trade: self._on_market_data,
            Quote: self._on_market_data,
            MarketChange: self._on_market_change,
            VenuePhase: self._on_market_change,
            MarketResolved: self._on_resolved,
            Tick: self._on_tick,
            Gap: self._on_market_data,
            Unwanted: self._on_market_data,
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

    def _on_market_data(self, event: BookDelta | BookSnapshot | Trade | Quote | Gap | Unwanted) -> Step:
        before = self._calls.best_before(event.key)
        self.cache.apply(event)
        if isinstance(event, Gap | Unwanted):
            return self._calls.on_gap(event)
        if isinstance(event, BookDelta | BookSnapshot):
            self.books.on_book_event(event)
        self._risk.last_recv[event.key.venue] = event.ts_recv
        return self._calls.on_market_data(event, before)

    def _resumed(self, reason: str) -> tuple[EngineNote, ...]:
        """Return the note of what is in force after something was lifted."""
        trading = self._risk.trading
        kind: NoteKind = "resumed" if trading == "active" else trading
        detail = reason if trading == "active" else f"{reason}; still in force"
        return (EngineNote(self._risk.now, kind, detail),)

    def _on_tick(self, event: Tick) -> Step:
        step = self._calls.on_event(event)
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

    def _on_market_change(self, event: MarketChange | VenuePhase) -> Step:
        if isinstance(event, MarketChange):
            self.cache.apply(event)
            self._risk.last_recv[event.venue] = event.ts_recv
            return self._calls.on_event(event)
        # A phase is asked for: that the venue answered says nothing of the stream of books, hence no ``last_recv``.
        before = self.cache.phase(event.venue)
        self.cache.apply(event)
        if before == event.phase:
            return EMPTY_STEP
        step = self._calls.on_event(event)
        if before == "closed":  # cancels sent in that phase were rejected
            step = replace(step, decisions=(*self._gate.cancel_forbidden(), *step.decisions))
        return replace(step, notes=(EngineNote(self._risk.now, "phase", f"{event.venue} is {event.phase}"),))

    def _on_resolved(self, event: MarketResolved) -> Step:
        self.cache.apply(event)
        booked = self.account.portfolio.has_traded(event.venue, event.market_id)
        settlements = self.account.settle(event)
        step = self._calls.on_event(event)
        return replace(step, settlements=settlements, booked=True) if booked else step

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
        step = self._calls.on_event(event, order.strategy)
        decisions = step.decisions
        if order.state == "open" and not self._risk.may_rest(order.side):  # it was unknown when others were cancelled
            decisions = (*decisions, *self._gate.cancel([order.client_order_id]))
        return replace(step, decisions=decisions, booked=True)
