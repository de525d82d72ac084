"""One backtest as a function: strategies and a recording in, orders, fills, equity and a summary out.

What ``predsurv.backtest`` and the processes of a sweep call; the command shows more while it runs.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from predsurv.config import Config
from predsurv.core.events import Event, Fill, FillFailed, MarketEvent
from predsurv.core.ids import VenueName
from predsurv.core.num import Money
from predsurv.core.orders import PlaceOrder, Refused
from predsurv.engine.engine import Engine
from predsurv.engine.step import Step
from predsurv.engine.strategy import Strategy
from predsurv.net.clock import SystemClock
from predsurv.ports import Venue
from predsurv.store.read.recording import ReplaySpan, require_recorded
from predsurv.trade.assembly import open_backtest
from predsurv.trade.results.result import RunResult
from predsurv.trade.session import EndedRun, Ending

KEPT_MAX: Final = 1_000_000
"""Most orders, fills and refusals of each kind that are kept; what comes later is counted only."""


class PlacedOrder(Struct, frozen=True):
    """An order that was sent at ``ts`` (ns UTC)."""

    ts: int
    order: PlaceOrder


class EquityPoint(Struct, frozen=True):
    """Cash plus positions at the best bid at ``ts`` (ns UTC), micros."""

    ts: int
    equity: Money


class BacktestSummary(Struct, frozen=True, kw_only=True):
    """Figures of a whole run; money in micros, times in ns (UTC)."""

    strategies: tuple[str, ...]
    venue: VenueName
    start: int
    end: int
    events: int
    intents: int
    refused: int
    orders: int
    rejected: int
    fills: int
    traded: Money
    fees: Money
    rebates: Money
    equity_start: Money
    equity: Money
    drawdown: Money

    @property
    def profit(self) -> Money:
        """The change in equity: realised, and unrealised at the best bid."""
        return Money(self.equity - self.equity_start)


class BacktestResult(Struct, frozen=True):
    """What a backtest did: everything in order of time. ``notes``: what the recording lacked, a sentence each.

    ``failed`` are those of the fills that never came about. ``details``: by strategy, market and event.
    """

    summary: BacktestSummary
    orders: tuple[PlacedOrder, ...]
    fills: tuple[Fill, ...]
    refused: tuple[Refused, ...]
    equity: tuple[EquityPoint, ...]
    notes: tuple[str, ...]
    details: RunResult
    failed: tuple[FillFailed, ...] = ()


def run_backtest(config: Config, venue: Venue, span: ReplaySpan, strategies: Sequence[Strategy]) -> BacktestResult:
    """Run ``strategies`` over a recording with an empty account; the run keeps a folder as every run does.

    Raises ConfigError and IntegrityError as ``open_backtest``, ConfigError for days that were never recorded, and
    StrategyError when the code of a strategy fails. Not to be called while an event loop runs in this thread.
    """
    require_recorded(config.data_dir, venue.name, span)
    observers: list[_Collector] = []
    session = open_backtest(config, venue, span, _collecting(observers), strategies)
    ended = asyncio.run(session.run(None, SystemClock(), Ending))
    return observers[0].result(ended, span)


def _collecting(made: "list[_Collector]") -> "Callable[[Engine], _Collector]":
    def make(_engine: Engine) -> _Collector:
        made.append(_Collector())
        return made[-1]

    return make


class _Collector:
    """A ``RunObserver`` that keeps what a result consists of."""

    def __init__(self) -> None:
        self._orders: list[PlacedOrder] = []
        self._fills: list[Fill] = []
        self._refused: list[Refused] = []
        self._failed: list[FillFailed] = []

    def on_turn(self) -> None:
        """Do nothing: the time of a recording does not pass by itself."""

    def on_batch(self, venue: VenueName, batch: Sequence[MarketEvent]) -> None:
        """Keep nothing of market data."""

    def on_step(self, event: Event, step: Step) -> None:
        """Keep orders, fills and refusals."""
        if isinstance(event, Fill) and step.booked and len(self._fills) < KEPT_MAX:
            self._fills.append(event)
        if isinstance(event, FillFailed) and step.booked and len(self._failed) < KEPT_MAX:
            self._failed.append(event)
        for decision in step.decisions:
            command = decision.approved.command
            if isinstance(command, PlaceOrder) and len(self._orders) < KEPT_MAX:
                self._orders.append(PlacedOrder(decision.approved.ts, command))
        self._refused += step.refusals[: KEPT_MAX - len(self._refused)]

    def result(self, ended: EndedRun, span: ReplaySpan) -> BacktestResult:
        """Return the result of the run."""
        recording, curve = ended.session.recording, ended.result.curve
        return BacktestResult(
            _summary(ended, span),
            tuple(self._orders),
            tuple(self._fills),
            tuple(self._refused),
            tuple(EquityPoint(*each) for each in zip(curve.times, curve.equity, strict=True)),
            () if recording is None else recording.notes(),
            ended.result,
            tuple(self._failed),
        )


def _summary(ended: EndedRun, span: ReplaySpan) -> BacktestSummary:
    session, result = ended.session, ended.result
    counts, total = session.stats.strategies.values(), result.total
    return BacktestSummary(
        strategies=tuple(str(each) for each in session.keeper.info.strategies),
        venue=next(iter(session.components.brokers)),
        start=span.start,
        end=span.end,
        events=session.stats.events,
        intents=sum(each.intents for each in counts),
        refused=sum(each.refusals.total() for each in counts),
        orders=total.orders,
        rejected=total.rejected,
        fills=total.fills,
        traded=total.turnover,
        fees=Money(total.fees),
        rebates=Money(total.rebates),
        equity_start=result.equity_start,
        equity=result.equity,
        drawdown=result.curve.drawdown,
    )
