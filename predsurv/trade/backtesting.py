"""One backtest as a function: strategies and a recording in, orders, fills, equity and a summary out.

What ``predsurv.backtest`` and the processes of a sweep call; the command shows more while it runs.
"""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from predsurv.config import Config
from predsurv.core.events import Event, Fill, MarketEvent
from predsurv.core.ids import VenueName
from predsurv.core.num import Money
from predsurv.core.orders import PlaceOrder, Refused
from predsurv.engine.engine import Engine
from predsurv.engine.step import Step
from predsurv.engine.strategy import Strategy
from predsurv.ports import Venue
from predsurv.trade.assembly import OwnRun, TradingSession, open_backtest
from predsurv.trade.journal import OrderJournal
from predsurv.trade.market_lists import require_recorded
from predsurv.trade.recording import BacktestSpan
from predsurv.trade.results.sampling import EquitySampler

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
    equity_start: Money
    equity: Money
    drawdown: Money

    @property
    def profit(self) -> Money:
        """The change in equity: realised, and unrealised at the best bid."""
        return Money(self.equity - self.equity_start)


class BacktestResult(Struct, frozen=True):
    """What a backtest did: everything in order of time. ``notes``: what the recording lacked, a sentence each."""

    summary: BacktestSummary
    orders: tuple[PlacedOrder, ...]
    fills: tuple[Fill, ...]
    refused: tuple[Refused, ...]
    equity: tuple[EquityPoint, ...]
    notes: tuple[str, ...]


def run_backtest(config: Config, venue: Venue, span: BacktestSpan, strategies: Sequence[Strategy]) -> BacktestResult:
    """Run ``strategies`` over a recording with an empty account; leaves no journal behind.

    Raises ConfigError and IntegrityError as ``open_backtest``, ConfigError for days that were never recorded, and
    StrategyError when the code of a strategy fails. Not to be called while an event loop runs in this thread.
    """
    require_recorded(config.data_dir, venue.name, span.dates())
    with tempfile.TemporaryDirectory(prefix="predsurv-backtest-") as folder:
        journal = OrderJournal(Path(folder) / "journal.db", durable=False, fresh=True)
        try:
            observers: list[_Collector] = []
            session = open_backtest(config, venue, span, _collecting(observers), OwnRun(strategies, journal))
            asyncio.run(session.runner.run())
        finally:
            journal.close()
    return observers[0].result(session, span)


def _collecting(made: "list[_Collector]") -> "Callable[[Engine], _Collector]":
    def make(engine: Engine) -> _Collector:
        made.append(_Collector(engine))
        return made[-1]

    return make


class _Collector:
    """A ``RunObserver`` that keeps what a result consists of."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._orders: list[PlacedOrder] = []
        self._fills: list[Fill] = []
        self._refused: list[Refused] = []
        self._sampler = EquitySampler(engine.valuation.equity())

    def on_turn(self) -> None:
        """Do nothing: the time of a recording does not pass by itself."""

    def on_batch(self, venue: VenueName, batch: Sequence[MarketEvent]) -> None:  # noqa: ARG002
        """Sample the equity before the batch is handled."""
        ts = batch[0].ts_recv if batch else 0
        if ts >= self._sampler.next_at and ts:
            self._sampler.add(ts, self._engine.valuation.equity(), self._engine.exposure(), {})

    def on_step(self, event: Event, step: Step) -> None:
        """Keep orders, fills and refusals."""
        if isinstance(event, Fill) and step.booked and len(self._fills) < KEPT_MAX:
            self._fills.append(event)
        for decision in step.decisions:
            command = decision.approved.command
            if isinstance(command, PlaceOrder) and len(self._orders) < KEPT_MAX:
                self._orders.append(PlacedOrder(decision.approved.ts, command))
        self._refused += step.refusals[: KEPT_MAX - len(self._refused)]

    def result(self, session: TradingSession, span: BacktestSpan) -> BacktestResult:
        """Return the result of the run, which has ended."""
        equity, last = self._engine.valuation.equity(), session.stats.last or span.start
        self._sampler.add(last, equity, self._engine.exposure(), {})
        curve = self._sampler.curve()
        return BacktestResult(
            _summary(session, span, equity, curve.drawdown),
            tuple(self._orders),
            tuple(self._fills),
            tuple(self._refused),
            tuple(EquityPoint(*each) for each in zip(curve.times, curve.equity, strict=True)),
            () if session.recording is None else session.recording.notes(),
        )


def _summary(session: TradingSession, span: BacktestSpan, equity: Money, drawdown: Money) -> BacktestSummary:
    counts = session.stats.strategies.values()
    return BacktestSummary(
        strategies=tuple(str(each) for each in session.strategies),
        venue=next(iter(session.components.brokers)),
        start=span.start,
        end=span.end,
        events=session.stats.events,
        intents=sum(each.intents for each in counts),
        refused=sum(each.refusals.total() for each in counts),
        orders=sum(each.orders for each in counts),
        rejected=sum(each.rejected for each in counts),
        fills=sum(each.fills for each in counts),
        traded=Money(sum(each.traded for each in counts)),
        fees=Money(sum(each.fees for each in counts)),
        equity_start=session.stats.equity_start,
        equity=equity,
        drawdown=drawdown,
    )
