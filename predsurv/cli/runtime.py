"""What every command that runs for a while shares: its duration, its signals, its metrics server."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final, TextIO, cast

from msgspec.structs import replace

from predsurv.cli.options import Format
from predsurv.cli.output.live_panel import Stderr
from predsurv.cli.output.render import Table, say, show
from predsurv.cli.service_manager import ServiceManager
from predsurv.cli.signals import StopSignals
from predsurv.core.durations import parse_duration
from predsurv.core.errors import ConfigError
from predsurv.core.text import sanitise
from predsurv.ports import Clock, Limited, RequestLevel
from predsurv.store.layout import Layout
from predsurv.store.log_places import note_log
from predsurv.telemetry import logs
from predsurv.telemetry.health import Health, RunHealth, health_of_run
from predsurv.telemetry.output_relay import OutputRelay, open_log
from predsurv.telemetry.server import MetricsServer
from predsurv.telemetry.vitals import BEAT_INTERVAL, Vitals

LOG_SECONDS_MAX: Final = 1.0
"""How long the end of a run waits for the disk of the log file."""

REPORT_SECONDS_MAX: Final = 1.0
"""How long a run that was told to stop waits for a reader of its report."""

REPORT_BYTES_MAX: Final = 1 << 26

_LOG: Final = logging.getLogger("predsurv")


def duration_ns(text: str | None) -> int | None:
    """Return the value of ``--duration`` in ns, None when it was not given; raises ConfigError unless positive."""
    if text is None:
        return None
    try:
        value = parse_duration(text)
    except ValueError:
        value = 0
    if value <= 0:
        raise ConfigError(f'--duration: expected a time such as "60s" or "5m"; got {sanitise(text, 40)!r}')
    return value


@contextmanager
def long_run(
    log_file: Path | None = None, *, data_dir: Path | None = None, collector: str | None = None
) -> Iterator[StopSignals]:
    """Prepare the process for running long while the block runs: stderr and logs that never block, signals heard.

    stderr stays relayed after it, for the last lines. With ``log_file`` logs go there, SIGHUP opens it anew, and
    ``data_dir`` keeps a note of it for ``predsurv logs``. ``collector``: its id, said in every line. To be entered
    before the event loop starts; raises ConfigError when the file cannot be opened.
    """
    sys.stderr = cast(TextIO, OutputRelay(sys.stderr, on_dropped=_tell_dropped))
    with _log_stream(log_file) as (stream, reopen):
        undo = logs.set_up(stream=stream, origin={} if collector is None else {"collector": collector})
        if log_file is not None and data_dir is not None:
            _note(data_dir, log_file)
        try:
            with StopSignals(reopen).heard() as signals:
                yield signals
        finally:
            undo()


def _note(data_dir: Path, log_file: Path) -> None:
    try:
        note_log(Layout(data_dir), log_file)
    except OSError as error:
        _LOG.warning("'predsurv logs' will not find this file by itself: %s", error)


@contextmanager
def _log_stream(log_file: Path | None) -> Iterator[tuple[TextIO, Callable[[], None] | None]]:
    if log_file is None:
        yield cast(TextIO, Stderr()), None
        return
    try:
        relay = OutputRelay(open_log(log_file), on_dropped=_tell_dropped)
    except OSError as error:
        raise ConfigError(f"--log-file: {sanitise(str(log_file), 200)}: {error.strerror}; name another file") from None

    def reopen() -> None:
        try:
            relay.redirect(open_log(log_file))
        except OSError as error:
            _LOG.warning("the log file cannot be opened anew (%s): going on in the old one", error)
        else:
            _LOG.info("the log file was opened anew")

    try:
        yield cast(TextIO, relay), reopen
    finally:
        relay.finish(LOG_SECONDS_MAX)
        relay.target.close()


def lines_dropped() -> int:
    """Return how many lines of stderr and of the log were dropped so far; any thread may call it."""
    handlers = [each for each in logging.getLogger().handlers if isinstance(each, logging.StreamHandler)]
    streams = {sys.stderr, *(handler.stream for handler in handlers)}
    return sum(
        getattr(stream, "dropped", 0) for stream in streams
    )  # while there is a panel, it stands before the relay


def request_levels(limited: Iterable[tuple[str, object]]) -> list[tuple[str, str, RequestLevel]]:
    """Return the room of the request limits of venues and accounts, each given with the name of its venue."""
    return [
        (venue, name, level)
        for venue, each in limited
        if isinstance(each, Limited)
        for name, level in each.request_levels().items()
    ]


def _tell_dropped(lines: int) -> None:
    _LOG.warning("%d lines were dropped here: nobody read them, or the disk was full", lines)


def show_last(tables: Sequence[Table], form: Format, *, hurry: bool) -> None:
    """Print the tables of a run that has ended; after a signal (``hurry``) a reader of stdout has a moment for it."""
    if not hurry:
        show(tables, form)
        return
    relay = OutputRelay(sys.stdout, bytes_max=REPORT_BYTES_MAX)
    show(tables, form, cast(TextIO, relay))
    relay.finish(REPORT_SECONDS_MAX)


def cancel_this() -> Callable[[], object]:
    """Return what cancels the current task."""
    task = asyncio.current_task()
    return task.cancel if task is not None else lambda: None


class Supervision:
    """One run under supervision: its vitals, what /healthz says of it, what the service manager is told.

    ``look`` returns what the run knows of itself, from any thread; until it is set there is nothing to know.
    """

    def __init__(self, clock: Clock, manager: ServiceManager) -> None:
        self.vitals = Vitals(clock)
        self.look: Callable[[], RunHealth] = RunHealth
        self._clock = clock
        self._manager = manager

    def health(self) -> Health:
        """Return the health of the run; any thread may call it, whatever the event loop does."""
        run, dropped = self.look(), lines_dropped()
        if dropped:
            run = replace(run, warnings=(*run.warnings, f"{dropped:,} lines were dropped: nobody reads them"))
        return health_of_run(self.vitals, run)

    def begin(self, doing: str) -> None:
        """Say what is done before the run proper begins."""
        self.vitals.doing = doing

    def go_on(self, doing: str, look: Callable[[], RunHealth]) -> None:
        """Say that the run proper has begun, unless it is being stopped already; ``look`` knows it from now on."""
        self.look = look
        if self.vitals.phase == "starting":
            self.vitals.phase, self.vitals.doing = "running", doing

    def stopping(self, doing: str) -> None:
        """Say that the run ends."""
        self.vitals.phase, self.vitals.doing = "stopping", f"stopping: {doing}"
        self._manager.stopping(self.vitals.doing)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Leave signs of life while the block runs, and pass them on to the service manager."""
        task = asyncio.create_task(self._beat())
        try:
            yield
        finally:
            task.cancel()
            self._manager.close()

    async def _beat(self) -> None:
        while True:
            self.vitals.beat()
            self._manager.pulse(self.health())
            await self._clock.sleep(BEAT_INTERVAL)


@contextmanager
def metrics_server(serve: Callable[[], MetricsServer]) -> Iterator[None]:
    """Keep the server that ``serve`` starts until the block ends; a port in use (ConfigError) is a warning."""
    try:
        server = serve()
    except ConfigError as error:
        say(f"warning: {error}")
        yield
        return
    if server.warning:
        say(f"warning: {server.warning}")
    try:
        yield
    finally:
        server.close()
