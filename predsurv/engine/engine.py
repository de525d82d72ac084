"""The trading engine: one event in, commands out; the same live, on paper and in a backtest.

Nothing here waits, reads a clock or does I/O: time is what the events say.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from predsurv.core.errors import BrokenInvariant
from predsurv.core.events import (
    AccountEvent,
    BookDelta,
    BookSnapshot,
    CancelRejected,
    Event,
    Fill,
    FillConfirmed,
    FillFailed,
    Gap,
    LevelConsumed,
    MarketChange,
    MarketResolved,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    OrderUnknown,
    Quote,
    RebatePaid,
    Tick,
    Trade,
    Unwanted,
    VenuePhase,
)
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.core.num import Money
from predsurv.core.reconciliation import CashCorrected, PositionCorrected, ReconciliationEvent, TradingHeld
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.books.available import AvailableBooks
from predsurv.engine.call_filter import BestBefore
from predsurv.engine.control import TradingControl
from predsurv.engine.own_prints import OwnPrints
from predsurv.engine.risk.checks import RiskLimits
from predsurv.engine.risk.execution_rules import ALL_SIMULATED, VenueRules
from predsurv.engine.risk.gate import RiskGate
from predsurv.engine.risk.state import RiskState
from predsurv.engine.step import EMPTY_STEP, EngineNote, Step
from predsurv.engine.strategy import Strategy
from predsurv.engine.strategy_calls import Answer, CalledStrategy, StrategyCalls
from predsurv.state.market_cache import MarketCache


class EngineTimes(NamedTuple):
    """``risk.now``: the engine's time. ``last_recv``: when market data of a venue were received last; both ns UTC."""

    risk: RiskState
    last_recv: dict[VenueName, int]


class Engine:
    """Folds events into cache and account, calls the strategies and puts their intents through the risk gate.

    ``cache``, ``account``, ``books`` and ``valuation`` are for reading; ``control`` halts and limits trading.
    ``run`` is the prefix of its order ids. ``rules`` name the venues that really execute our orders: their books lack
    what we took, and their public trades are ours as well, of which strategies hear what is not (``own_prints``).
    Nothing is placed there before ``TradingHeld`` lifts the hold that a run begins with.
    """

    def __init__(
        self,
        *,
        run: str,
        limits: RiskLimits,
        strategies: Sequence[Strategy],
        cache: MarketCache,
        account: TradingAccount,
        rules: VenueRules = ALL_SIMULATED,
    ) -> None:
        executing = rules.executing
        self.cache, self.account = cache, account
        self.books, self.own_prints = AvailableBooks(cache, executing), OwnPrints(cache, executing)
        self._risk = RiskState(cache, account, self.books)
        self._risk.execution.begin(rules)
        self._risk.room.limit(
            order=limits.max_order_notional, position=limits.max_position_notional, total=limits.max_total_exposure
        )
        self.valuation = self._risk.valuation
        self._gate = RiskGate(run, limits, self._risk, account)
        self.control = TradingControl(self._risk, self._gate, limits.max_daily_loss)
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
            **dict.fromkeys((LevelConsumed, RebatePaid), self._on_told),
            **dict.fromkeys((TradingHeld, CashCorrected, PositionCorrected), self._on_told),
            **dict.fromkeys((OrderAccepted, OrderRejected, OrderCancelled, OrderUnknown, Fill), self._on_account),
            **dict.fromkeys((CancelRejected, FillConfirmed, FillFailed), self._on_account),
        }

    @property
    def next_at(self) -> int:
        """The time (ns UTC) from which the passing of time alone changes something."""
        return min(self.cache.next_due, self.valuation.day_ends)

    def heard(self) -> tuple[CalledStrategy, ...]:
        """Return the strategies with the events that they are called with."""
        return self._calls.called

    @property
    def times(self) -> "EngineTimes":
        """What ``hear`` tells the time of an event, for a compiled replay that calls strategies itself."""
        return EngineTimes(self._risk, self._risk.last_recv)

    def pass_over(self, venue: VenueName, ts: int) -> None:
        """Take note of market data up to ``ts`` (ns UTC), already in the cache, that nobody wants to hear of.

        ``ts`` is before ``next_at``.
        """
        self._risk.now = max(self._risk.now, ts)
        self._risk.last_recv[venue] = ts

    def hear(self, event: BookDelta | Trade, before: BestBefore | None, wanted: int, answer: Answer | None) -> Step:
        """Do what is left to do for market data that is already in the cache; its time is before ``next_at``.

        ``before``: the best prices before a book event, where any filter ``needs_before``. ``wanted``: the strategies
        whose interest it meets but for their intervals, a bit for each; its book can be trusted then. ``answer``: that
        of the first of these, where it was asked already.
        """
        self._risk.now, self._risk.last_recv[event.key.venue] = event.ts_recv, event.ts_recv
        if isinstance(event, BookDelta):
            self.books.on_book_event(event)
        return self._calls.tell_wanted(event, before, wanted, answer) if wanted else EMPTY_STEP

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
        return self.control.on_new_day(step, equity)

    def _on_market_data(self, event: BookDelta | BookSnapshot | Trade | Quote | Gap | Unwanted) -> Step:
        before = self._calls.best_before(event.key)
        self.cache.apply(event)
        if isinstance(event, Gap | Unwanted):
            return self._calls.on_gap(event)
        if isinstance(event, BookDelta | BookSnapshot):
            self.books.on_book_event(event)
        self._risk.last_recv[event.key.venue] = event.ts_recv
        heard = self.own_prints.others(event) if isinstance(event, Trade) else event
        return EMPTY_STEP if heard is None else self._calls.on_market_data(heard, before)

    def _on_tick(self, event: Tick) -> Step:
        return self.control.on_tick(self._calls.on_tick(event))

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
        booked = (event.venue, event.market_id) in self.account.portfolio.followed
        settlements = self.account.settle(event)
        step = self._calls.on_event(event)
        return replace(step, settlements=settlements, booked=True) if booked else step

    def _on_told(self, event: LevelConsumed | RebatePaid | ReconciliationEvent) -> Step:
        if isinstance(event, TradingHeld):
            self._risk.execution.hold(event.venue, event.reason)
            return EMPTY_STEP
        if isinstance(event, LevelConsumed):
            self.books.on_consumed(event)
            return EMPTY_STEP
        added = self.account.credit(event)
        if not isinstance(event, RebatePaid):
            self.valuation.deposit(added)
        return Step(booked=True)

    def _on_account(self, event: AccountEvent) -> Step:
        try:
            result = self.account.apply(event)
        except BrokenInvariant as error:
            return self.control.halt(event.ts_recv, str(error))
        order = self.account.orders.get(event.client_order_id)
        if order is None and isinstance(event, Fill):
            return self.control.halt(
                event.ts_recv, f"fill {event.trade_id} of an order that is not ours; reconcile first"
            )
        if result != "applied":
            return Step(notes=(EngineNote(self._risk.now, result, f"{type(event).__name__} {event.client_order_id}"),))
        if order is None:  # the outcome of a trade of an order that is no longer kept
            return Step(booked=True)
        if isinstance(event, Fill):
            self.books.on_fill(event)
            self.own_prints.on_fill(event)
        elif isinstance(event, CancelRejected):
            self._risk.self_trades.on_cancel_rejected(event.client_order_id)
        step = self._calls.on_event(event, order.strategy)
        decisions = step.decisions
        # An order that was on its way or unknown when others were cancelled; a cancel that was rejected just now would
        # only be rejected again.
        now_open = order.state == "open" and not isinstance(event, CancelRejected | FillConfirmed | FillFailed)
        if now_open and not self._gate.may_rest(order.side):
            decisions = (*decisions, *self._gate.cancel([order.client_order_id]))
        return replace(step, decisions=decisions, booked=True)
