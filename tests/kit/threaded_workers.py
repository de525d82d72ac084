"""Worker processes of a recording as threads of this process: their code is the same, and can be looked into."""

import os
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from threading import Thread
from typing import Any

import pytest

from predsurv.collect import worker_process


class ThreadedWorker:
    """Takes the place of a process: a kill waits for its end."""

    def __init__(self, target: Callable[..., None], args: tuple[Any, ...], daemon: bool) -> None:
        *rest, pipe = args
        self._pipe = Connection(os.dup(pipe.fileno()))  # as a process has one of its own
        self._thread = Thread(target=self._run, args=(target, rest), daemon=daemon)

    def _run(self, target: Callable[..., None], rest: list[Any]) -> None:
        with self._pipe:
            target(*rest, self._pipe)

    def start(self) -> None:
        self._thread.start()

    def kill(self) -> None:
        """Nothing: a thread ends by itself."""

    def join(self) -> None:
        self._thread.join()

    def close(self) -> None:
        assert not self._thread.is_alive()


class ThreadedContext:
    """Takes the place of a multiprocessing context."""

    Process = ThreadedWorker
    Pipe = staticmethod(Pipe)


def run_workers_as_threads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let workers be threads; return the niceness that each of them would have taken."""
    begun: list[int] = []
    monkeypatch.setattr(worker_process, "get_context", lambda _: ThreadedContext())
    monkeypatch.setattr(worker_process, "begin_worker", begun.append)
    return begun
