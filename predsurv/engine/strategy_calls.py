"""Calls of strategies: who hears of an event, what they may return, and whose fault an exception is.

Separate from the engine, which folds events and knows nothing of what a strategy wants to hear.
"""

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Final

from msgspec import Struct

from predsurv.core.errors import StrategyError
from predsurv.core.events import BookDelta, BookSnapshot, Event, Gap, Quote, Tick, Trade, Unwanted
from predsurv.core.ids import InstrumentKey, StrategyName
from predsurv.core.orders import CancelIntent, Decision, Intent, Quotes
from predsurv.core.text import sanitise
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.books.observed import ObservedBooks
from predsurv.engine.call_filter import BestBefore, CallFilter, best_prices
from predsurv.engine.context import StrategyContext
from predsurv.engine.decision_fields import wrong_field
from predsurv.engine.interest import EVERYTHING
from predsurv.engine.quoting import QuoteDiffer
from predsurv.engine.risk.gate import RiskGate
from predsurv.engine.risk.state import RiskState
from predsurv.engine.step import EMPTY_STEP, Step
from predsurv.engine.strategy import SelectiveStrategy, Strategy, TimedStrategy
from predsurv.state.market_cache import MarketCache

_KINDS: Final = {Intent: "an order", CancelIntent: "a cancel", Quotes: "quotes"}

NEVER: Final = (1 << 63) - 1
"""A time (ns UTC) that does not come."""

Answer = tuple[int, object, Exception | None]
"""The number of a strategy that was called, what it returned, and what it raised."""


class CalledStrategy(Struct, frozen=True):
    """A strategy, what it can read, and which events it is called with; without a filter with every one.

    ``timed``: the same strategy, where it says itself when ticks matter.
    """

    strategy: Strategy
    view: StrategyContext
    filter: CallFilter | None
    timed: TimedStrategy | None

    @property
    def is_plain(self) -> bool:
        """Return whether a call that decides nothing changes nothing of what it waits for."""
        return self.timed is None and (
            self.filter is None or (self.filter.selective is None and not self.filter.interest.interval)
        )

    @property
    def ticks_from(self) -> int:
        """The time (ns UTC) before which it is told no tick."""
        if self.filter is not None and not self.filter.interest.ticks:
            return NEVER
        return 0 if self.timed is None else self.timed.wake_at


class StrategyCalls:
    """The strategies of a run, in the order in which they are called."""

    def __init__(
        self,
        strategies: Sequence[Strategy],
        gate: RiskGate,
        risk: RiskState,
        *,
        cache: MarketCache,
        account: TradingAccount,
    ) -> None:
        self._gate, self._risk, self._cache, self._account = gate, risk, cache, account
        self._observed = ObservedBooks()
        self._differ = QuoteDiffer(cache, account, risk)
        self.called = tuple(self._prepare(each) for each in strategies)
        self._covering = tuple(each for each in self.called if each.strategy.interest.coverage)
        self._needs_before = any(each.filter is not None and each.filter.needs_before for each in self.called)

    def best_before(self, key: InstrumentKey) -> BestBefore | None:
        """Return the best prices of a book that an event is about to change, where any strategy's interest asks."""
        book = self._cache.book(key) if self._needs_before else None
        return None if book is None or not book.trusted else best_prices(self._risk.books.less_consumed(key) or book)

    def on_market_data(self, event: BookDelta | BookSnapshot | Trade | Quote, before: BestBefore | None) -> Step:
        """Call the strategies where the book that ``event`` is about can be trusted after it.

        A trade may be told on an outcome whose book is the mirror of the other's.
        """
        if self._covering and isinstance(event, BookSnapshot):
            self._observed.on_snapshot(event)
        if self._cache.trusted_book(self._cache.primary_of(event.key)) is None:
            return EMPTY_STEP
        return self.tell(event, before)

    def tell(self, event: BookDelta | BookSnapshot | Quote | Trade, before: BestBefore | None) -> Step:
        """Call the strategies with market data of a book that can be trusted."""
        return self._call(self.called, event, before)

    def on_gap(self, event: Gap | Unwanted) -> Step:
        """Take note of a gap, and call the strategies that want to hear of it."""
        if not self._covering:
            return EMPTY_STEP
        self._observed.on_gap(event)
        return self._call(self._covering, event)

    def on_tick(self, event: Tick) -> Step:
        """Call the strategies to which the passing of time matters by now."""
        return self._call([each for each in self.called if each.ticks_from <= event.ts_recv], event)

    def on_event(self, event: Event, only: StrategyName | None = None) -> Step:
        """Call the strategies with any other event; ``only``: that one alone."""
        if only is None:
            return self._call(self.called, event)
        return self._call([each for each in self.called if each.strategy.name == only], event)

    def _prepare(self, strategy: Strategy) -> CalledStrategy:
        interest = strategy.interest
        observed = self._observed if interest.coverage else None
        view = StrategyContext(strategy.name, self._cache, self._risk.books, self._account, self._risk)
        view.observed = observed
        timed = strategy if isinstance(strategy, TimedStrategy) else None
        if interest == EVERYTHING and not isinstance(strategy, SelectiveStrategy):
            return CalledStrategy(strategy, view, None, timed)
        call_filter = CallFilter(strategy, self._cache, self._risk.books, self._account)
        return CalledStrategy(strategy, view, call_filter, timed)

    def tell_wanted(
        self, event: BookDelta | Trade, before: BestBefore | None, wanted: int, answer: Answer | None
    ) -> Step:
        """Call the strategies whose interest market data meet but for their intervals, a bit for each.

        ``answer``: that of the first of these, where it was asked already.
        """
        called = [each for number, each in enumerate(self.called) if wanted >> number & 1]
        return self._call(called, event, before, answer, met=True)

    def _call(
        self,
        called: Iterable[CalledStrategy],
        event: Event,
        before: BestBefore | None = None,
        answer: Answer | None = None,
        *,
        met: bool = False,
    ) -> Step:
        """Call those of the strategies that want to hear; ``met``: all whose interest knows no interval do."""
        if self._risk.blocked:
            return EMPTY_STEP
        decided: list[Intent | CancelIntent] = []
        books = self._risk.books
        books.asked = {}  # from here on nothing changes a book: strategies and checks ask for the same
        try:
            for each in called:
                rule = each.filter
                if rule is None or (met and not rule.interest.interval) or rule.admits(event, self._risk.now, before):
                    decisions = self._ask(each, event) if answer is None else _checked(each.strategy, event, answer)
                    answer = None
                    if decisions:
                        self._decide(decisions, decided)
            if not decided:
                return EMPTY_STEP
            approved, refusals = self._gate.evaluate(decided)
        except StrategyError as error:
            return Step(failed=error)
        finally:
            books.asked = None
        if refusals:
            self._differ.on_refusals(refusals)
        return Step(approved, refusals)

    def _decide(self, decisions: Sequence[Decision], decided: list[Intent | CancelIntent]) -> None:
        """Append to ``decided`` what the decisions of one strategy come to, given what is there already.

        Of several statements of quotes for one instrument the last holds.
        """
        last = {each.key: number for number, each in enumerate(decisions) if isinstance(each, Quotes)}
        for number, decision in enumerate(decisions):
            if not isinstance(decision, Quotes):
                decided.append(decision)
            elif last[decision.key] == number:
                decided += self._differ.changes(decision, decided)

    def _ask(self, called: CalledStrategy, event: Event) -> Sequence[Decision]:
        try:
            returned = called.strategy.on_event(event, called.view)
            if not returned:
                return ()
        except Exception as error:
            raise _failed(called.strategy, event, error) from error
        return _decisions(called.strategy, event, returned)


def _checked(strategy: Strategy, event: Event, answer: Answer) -> Sequence[Decision]:
    """Return what a strategy that was called already decided."""
    _, returned, error = answer
    if error is not None:
        raise _failed(strategy, event, error) from error
    return _decisions(strategy, event, returned)


def _decisions(strategy: Strategy, event: Event, returned: object) -> Sequence[Decision]:
    try:
        decisions = tuple(returned) if isinstance(returned, Iterable) else None
    except Exception as error:
        raise _failed(strategy, event, error) from error
    if decisions is None:
        raise StrategyError(_wrong(strategy, returned))
    for decision in decisions:
        if not isinstance(decision, Intent | CancelIntent | Quotes) or decision.strategy != strategy.name:
            raise StrategyError(_wrong(strategy, decision))
        wrong = wrong_field(decision)
        if wrong is not None:
            where = f"strategy {strategy.name}: on_event ({sanitise(_definition(strategy), 200)})"
            raise StrategyError(f"{where} returned {_KINDS[type(decision)]} whose {sanitise(wrong, 200)}")
    return decisions


def _failed(strategy: Strategy, event: Event, error: Exception) -> StrategyError:
    where = _deepest(error.__traceback__, _definition(strategy).rpartition(":")[0])
    what = sanitise(" ".join(str(error).split()), 200)
    return StrategyError(
        f"strategy {strategy.name} failed at {sanitise(where, 200)} on a {type(event).__name__}: "
        f"{type(error).__name__}: {what}; rerun with --debug for the traceback"
    )


def _deepest(trace: TracebackType | None, own: str) -> str:
    """Return ``file:line`` of the innermost call within the strategy's own file, else of the innermost of all."""
    found = innermost = ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        innermost = f"{file}:{trace.tb_lineno}"
        found = innermost if file == own else found
        trace = trace.tb_next
    return found or innermost


def _wrong(strategy: Strategy, decision: object) -> str:
    return (
        f"strategy {strategy.name}: on_event ({sanitise(_definition(strategy), 200)}) returned "
        f"{sanitise(repr(decision), 80)}; expected an iterable of Intent, CancelIntent and Quotes with its name"
    )


def _definition(strategy: Strategy) -> str:
    """Return where ``on_event`` is defined, ``file:line``."""
    code = getattr(type(strategy).on_event, "__code__", None)
    return type(strategy).__module__ if code is None else f"{code.co_filename}:{code.co_firstlineno}"
