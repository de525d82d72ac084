"""What every command that runs for a while shares: its duration, its signals, its metrics server."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from predsurv.cli.output.render import say
from predsurv.core.durations import parse_duration
from predsurv.core.errors import ConfigError
from predsurv.core.text import sanitise
from predsurv.telemetry.server import MetricsServer

LEFT_AT_ONCE: Final = 130
"""Exit code after a second signal."""


def duration_ns(text: str | None) -> int | None:
    """Return the value of ``--duration`` in ns, None when it was not given; raises ConfigError unless positive."""
    if text is None:
        return None
    try:
        value = parse_duration(text)
    except ValueError:
        value = 0
    if value <= 0:
        raise ConfigError(f'--duration: expected a time such as "60s" or "5m"; got "{sanitise(text, 40)}"')
    return value


@contextmanager
def stop_on_signal(stop: Callable[[], None], doing: str, rescue: Callable[[], None] | None = None) -> Iterator[None]:
    """Call ``stop`` at the first SIGINT or SIGTERM, saying what is being done; exit with 130 at the second.

    ``rescue`` is called before that exit. To be used in a running event loop.
    """
    loop = asyncio.get_running_loop()
    asked = False

    def on_signal() -> None:
        nonlocal asked
        if asked:
            if rescue is not None:
                rescue()
            os._exit(LEFT_AT_ONCE)
        asked = True
        say(f"stopping: {doing}; interrupt again to leave at once")
        stop()

    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, on_signal)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


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
