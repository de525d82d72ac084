"""SIGHUP opens a log file anew whatever else goes on, and never keeps a later signal from being heard."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from threading import Event

import pytest

from predsurv.cli.signals import StopSignals
from tests.kit.patience import PATIENCE_S, eventually

LEAVING = """
import os, signal, sys, time
from predsurv.cli.signals import StopSignals
with StopSignals().heard() as signals:
    sys.stderr.write("\\x1b[?25l")
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGINT)
    while not signals.stopping:
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(300)
"""
"""A run that hides the cursor, as a panel does, and is interrupted twice."""


def test_who_leaves_at_once_shows_the_cursor_of_the_terminal() -> None:
    master, slave = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", LEAVING], stderr=slave)
    os.close(slave)
    assert process.wait(PATIENCE_S) == 130
    shown = b""
    with suppress(OSError):  # of a terminal that nobody has any more
        while chunk := os.read(master, 1_000):
            shown += chunk
    os.close(master)
    assert shown.endswith(b"\x1b[?25h\r\n")


@pytest.fixture
def hangup_ignored() -> Iterator[None]:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    yield
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hangup_ignored")
def test_a_log_file_is_opened_anew_also_where_hangups_are_ignored() -> None:
    opened = Event()
    with StopSignals(opened.set).heard() as signals:
        os.kill(os.getpid(), signal.SIGHUP)
        assert opened.wait(PATIENCE_S)
        assert not signals.stopping


@pytest.mark.usefixtures("hangup_ignored")
def test_without_a_log_file_an_ignored_hangup_stays_ignored() -> None:
    with StopSignals().heard() as signals:
        os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert not signals.stopping


def test_a_log_file_that_cannot_be_opened_in_time_keeps_no_signal_from_being_heard() -> None:
    begun, answers = Event(), Event()

    def reopen() -> None:
        begun.set()
        answers.wait(PATIENCE_S)

    with StopSignals(reopen).heard() as signals:
        os.kill(os.getpid(), signal.SIGHUP)
        assert begun.wait(PATIENCE_S)
        os.kill(os.getpid(), signal.SIGTERM)
        eventually(lambda: signals.stopping)
        answers.set()


def test_a_signal_before_a_block_that_it_may_interrupt_interrupts_it_too() -> None:
    with StopSignals().heard() as signals:
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt), signals.interrupting():
            raise AssertionError("went on")
        assert signals.stopping


TWICE = """
import os, signal, threading, time
from predsurv.cli.signals import StopSignals
with StopSignals().heard() as signals:
    try:
        with signals.interrupting():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(300)
    except KeyboardInterrupt:
        while not signals._heard:
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(300)
"""


def test_who_leaves_at_once_without_having_said_anything_says_so() -> None:
    done = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, timeout=PATIENCE_S, check=False)
    assert (done.returncode, done.stderr) == (130, b"interrupted\n")


async def test_signals_are_not_heard_from_within_an_event_loop() -> None:
    with pytest.raises(RuntimeError, match="before there is an event loop"), StopSignals().heard():
        pass
