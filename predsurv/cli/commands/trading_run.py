"""What a paper run and a live one do alike: trade under supervision from their first event to their end."""

from predsurv.cli.runtime import Supervision
from predsurv.cli.signals import StopSignals
from predsurv.ports import Clock
from predsurv.trade.health import FeedWatch
from predsurv.trade.session import EndedRun, Ending, TradingSession


async def trade_until_stopped(
    session: TradingSession,
    run: Supervision,
    feeds: FeedWatch,
    signals: StopSignals,
    *,
    limit: int | None,
    clock: Clock,
    stopping: str,
) -> EndedRun:
    """Trade until a signal, or for ``limit`` ns; ``stopping`` says what is done at the end.

    A run that was to last ``limit`` and was stopped before is not complete.
    """
    run.go_on("trading", lambda: feeds.health(session.engine, session.stats))

    def stop() -> None:
        run.stopping(stopping)
        session.runner.stop()

    with signals.stopping_with(stop, stopping):
        ended = await session.run(limit, clock, lambda: Ending(complete=limit is None or not signals.stopping))
    run.stopping(stopping)
    return ended
