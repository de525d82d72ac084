"""A server on loopback whose event loop is a thread's own, so that a command can meet it within the test's process."""

import asyncio
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from threading import Thread
from typing import TypeVar

import pytest

from tests.kit.live_orders import Fake, secrets_of
from tests.kit.patience import PATIENCE_S

Result = TypeVar("Result")


class BackgroundLoop:
    """An event loop that runs in a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[object, object, Result]) -> Result:
        """Run ``work`` there, and return what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextmanager
def background_loop() -> Iterator[BackgroundLoop]:
    """A loop for the block."""
    loop = BackgroundLoop()
    try:
        yield loop
    finally:
        loop.close()


def put_in_environment(flags: Mapping[str, str], patch: pytest.MonkeyPatch) -> None:
    """Configure by environment what ``flags`` says."""
    for name, value in flags.items():
        patch.setenv(f"PREDSURV_{name.upper().replace('.', '__')}", value)


@contextmanager
def served(fake: Fake, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a fake venue listen during the block, and lead every command to it, with its key."""
    with background_loop() as loop:
        loop.call(fake.server.start())
        put_in_environment(fake.flags, patch)
        for name, value in secrets_of(fake).items():
            patch.setenv(name, value)
        try:
            yield
        finally:
            loop.call(fake.server.aclose())
