"""A run that is ready to start, and how it ended."""

from collections.abc import Callable

from msgspec import Struct

from predsurv.core.errors import PredsurvError, exit_code_of
from predsurv.engine.engine import Engine
from predsurv.ports import Clock
from predsurv.store.read.recording_summary import RecordingSummary
from predsurv.trade.backtest_runner import BacktestRunner
from predsurv.trade.journal import OrderJournal
from predsurv.trade.pipeline import RunComponents
from predsurv.trade.results.result import RunResult
from predsurv.trade.runner import TradeRunner
from predsurv.trade.runs.keeper import RunKeeper
from predsurv.trade.stats import RunStats


class Ending(Struct, frozen=True):
    """Whether a run went through all that was asked for, and the exit code that says so."""

    complete: bool = True
    exit_code: int = 0


class TradingSession(Struct, frozen=True):
    """A run ready to start, with the parts that can be read afterwards; ``recording`` of a backtest.

    ``journal`` is that of the account. Whoever runs it calls ``finish`` at its end, and ``close`` in any case.
    """

    mode: str
    components: RunComponents
    runner: TradeRunner | BacktestRunner
    journal: OrderJournal
    keeper: RunKeeper
    recording: RecordingSummary | None = None

    @property
    def engine(self) -> Engine:
        """The engine."""
        return self.components.engine

    @property
    def stats(self) -> RunStats:
        """The counts of the run."""
        return self.components.stats

    def close(self) -> None:
        """Close everything as it is: to whoever lists it the run looks killed; safe to call twice, and after finish."""
        try:
            self.journal.close()
        finally:
            self.keeper.close()

    def finish(self, ended: int, *, complete: bool, exit_code: int = 0) -> RunResult:
        """Close the run, which ended at ``ended`` (ns UTC), and return its result.

        ``complete``: it went through all that was asked for. Raises OSError.
        """
        self.journal.close()
        return self.keeper.finish(self.stats, ended, complete=complete, exit_code=exit_code)

    def _fail(self, ended: int, exit_code: int) -> None:
        """Write how far the run came and that it failed, or the latter alone where the disk refuses more."""
        try:
            self.finish(ended, complete=False, exit_code=exit_code)
        except (OSError, PredsurvError):
            self.keeper.fail(ended, exit_code)

    async def run(self, limit: int | None, clock: Clock, ending: Callable[[], Ending]) -> "EndedRun":
        """Run for ``limit`` ns, or to the end, and close everything; ``ending`` is asked how it ended.

        What is raised is written in the run's folder first. Raises what ``TradeRunner.run`` does, and OSError.
        """
        try:
            await self.runner.run(limit)
            ended = ending()
            result = self.finish(clock.now(), complete=ended.complete, exit_code=ended.exit_code)
            return EndedRun(self, result, ended)
        except BaseException as error:
            self._fail(clock.now(), exit_code_of(error))
            raise
        finally:
            self.close()


class EndedRun(Struct, frozen=True):
    """A run that has ended."""

    session: TradingSession
    result: RunResult
    ending: Ending
