"""A process that cannot stop in good order is left: with which code, what is said, and what is saved before."""

import asyncio
import os
import pty
import signal
import sys
from threading import Event

import pytest

from predsurv.cli import signals as module
from predsurv.cli.signals import LEFT_AT_ONCE, LEFT_FROZEN, StopSignals, finish_output
from tests.kit.patience import PATIENCE_S, eventually

FROZEN = "error: the event loop stands still and could not stop in good order\n"


class Exits:
    """Takes the place of the end of the process."""

    def __init__(self) -> None:
        self.codes: list[int] = []
        self.left = Event()

    def __call__(self, code: int) -> None:
        self.codes.append(code)
        self.left.set()


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> Exits:
    found = Exits()
    monkeypatch.setattr(os, "_exit", found)
    return found


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


def test_a_second_signal_leaves_at_once_and_says_so(exits: Exits, capsys: pytest.CaptureFixture[str]) -> None:
    with StopSignals().heard() as signals:
        send(signal.SIGINT)
        eventually(lambda: signals._heard)
        assert exits.codes == []
        send(signal.SIGTERM)
        assert exits.left.wait(PATIENCE_S)
    assert exits.codes == [LEFT_AT_ONCE]
    assert capsys.readouterr().err == "interrupted\n"


def test_further_hangups_of_a_closed_terminal_do_not_leave(exits: Exits) -> None:
    with StopSignals().heard() as signals:
        for _ in range(2):
            send(signal.SIGHUP)
            eventually(lambda: signals._heard)
    assert signals.stopping
    assert exits.codes == []


def test_a_signal_of_somebody_else_stops_nothing(exits: Exits) -> None:
    told: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: told.append(number))
    try:
        with StopSignals().heard() as signals:
            send(signal.SIGUSR1)
            eventually(lambda: bool(told))
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert not signals.stopping
    assert exits.codes == []


def test_the_last_records_are_saved_while_the_loop_is_held(
    exits: Exits, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps: list[str] = []

    def hold(held: Event) -> None:
        steps.append("held")
        held.set()

    async def run(signals: StopSignals) -> None:
        stopping = asyncio.Event()
        with signals.stopping_with(stopping.set, "saving", lambda: steps.append("rescued")):
            send(signal.SIGINT)
            await asyncio.wait_for(stopping.wait(), PATIENCE_S)
            send(signal.SIGINT)
            await asyncio.to_thread(exits.left.wait, PATIENCE_S)

    monkeypatch.setattr(module, "_hold", hold)
    with StopSignals().heard() as signals:
        asyncio.run(run(signals))
    assert steps == ["held", "rescued"]
    assert exits.codes == [LEFT_AT_ONCE]
    assert capsys.readouterr().err == "stopping: saving; interrupt again to leave at once\n"


def test_a_loop_that_stands_still_is_left_with_an_error(
    exits: Exits, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rescued = Event()

    async def run(signals: StopSignals) -> None:
        with signals.stopping_with(lambda: None, None, rescued.set):
            send(signal.SIGTERM)
            assert exits.left.wait(PATIENCE_S)  # nothing turns the loop

    monkeypatch.setattr(module, "_hold", Event.set)
    monkeypatch.setattr(module, "REACTION_SECONDS_MAX", 0.05)
    monkeypatch.setattr(module, "HOLD_SECONDS_MAX", 0.05)
    with StopSignals().heard() as signals:
        asyncio.run(run(signals))
    assert exits.codes[0] == LEFT_FROZEN
    assert rescued.is_set()
    assert capsys.readouterr().err.startswith(FROZEN)


def test_a_signal_after_the_run_leaves_without_an_error(exits: Exits, capsys: pytest.CaptureFixture[str]) -> None:
    async def run(signals: StopSignals) -> None:
        with signals.stopping_with(lambda: None, ""):
            pass

    with StopSignals().heard() as signals:
        asyncio.run(run(signals))
        send(signal.SIGINT)
        assert exits.left.wait(PATIENCE_S)
    assert exits.codes[0] == 0
    assert capsys.readouterr().err == ""


def test_a_block_that_may_be_interrupted_is(exits: Exits) -> None:
    def wait(signals: StopSignals) -> None:
        with signals.interrupting():
            send(signal.SIGINT)
            eventually(lambda: False)

    with StopSignals().heard() as signals:
        with pytest.raises(KeyboardInterrupt):
            wait(signals)
        assert signals.stopping
    assert exits.codes == []


def test_who_leaves_shows_the_cursor_of_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = pty.openpty()
    try:
        monkeypatch.setattr(module, "_STDERR", slave)
        module._say_finally("")
        assert os.read(master, 100) == b"\x1b[?25h\r\n"
    finally:
        os.close(slave)
        os.close(master)


def test_output_is_waited_for_where_a_stream_is_relayed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Relay:
        def __init__(self) -> None:
            self.waited: list[float | None] = []

        def finish(self, seconds: float | None) -> None:
            self.waited.append(seconds)

    relay = Relay()
    monkeypatch.setattr(sys, "stdout", relay)
    finish_output(0.25)
    finish_output(None)
    assert relay.waited == [0.25, None]
