"""What a service manager hears: real datagrams, on a path and in the abstract namespace."""

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from predsurv.cli.service_manager import STATUS_INTERVAL, ServiceManager
from predsurv.net.clock import ManualClock
from predsurv.telemetry.health import Health, RunHealth, health_of_run
from predsurv.telemetry.vitals import Phase, Vitals

S = 1_000_000_000


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    name = f"@predsurv-test-{os.getpid()}" if request.param == "abstract" else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(name.replace("@", "\0") if request.param == "abstract" else name)
        listening.setblocking(False)
        yield listening, name


def heard(listening: socket.socket) -> list[str]:
    lines: list[str] = []
    while True:
        try:
            lines += listening.recv(4_096).decode().splitlines()
        except BlockingIOError:
            return lines


def state(phase: Phase = "running", *causes: str, stuck: str | None = None) -> Health:
    vitals = Vitals(ManualClock())
    vitals.phase = phase
    vitals.doing = "reading\nREADY=1"
    return health_of_run(vitals, RunHealth(causes=causes, stuck=stuck))


async def test_a_start_is_extended_until_it_is_ready(manager: tuple[socket.socket, str]) -> None:
    listening, name = manager
    clock, environ = ManualClock(), {"NOTIFY_SOCKET": name}
    told = ServiceManager(environ, clock)
    assert environ == {}
    told.pulse(state("starting"))
    first = heard(listening)
    assert "EXTEND_TIMEOUT_USEC=60000000" in first
    assert "READY=1" not in first
    told.pulse(state())
    told.pulse(state())
    assert heard(listening) == ["READY=1", "STATUS=ok: running"]
    told.pulse(state("running", "no disk"))
    assert heard(listening) == ["STATUS=NOT OK: no disk"]
    await clock.advance(STATUS_INTERVAL)
    told.pulse(state("running", "no disk"))
    assert heard(listening) == ["STATUS=NOT OK: no disk"]
    told.stopping("bye")
    told.stopping("bye")
    assert heard(listening) == ["STOPPING=1", "STATUS=bye"]
    told.close()


async def test_the_watchdog_hears_of_a_run_only_while_it_is_alive(manager: tuple[socket.socket, str]) -> None:
    listening, name = manager
    clock = ManualClock()
    environ = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}
    told = ServiceManager(environ, clock)
    beats = []
    for second in range(60):
        told.pulse(state(stuck=None if second < 30 else "frozen"))
        beats += [second for line in heard(listening) if line == "WATCHDOG=1"]
        await clock.advance(S)
    assert beats == [0, 10, 20]
    told.close()


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"NOTIFY_SOCKET": "relative"},
        {"NOTIFY_SOCKET": "/nowhere/notify", "WATCHDOG_USEC": "x"},
        {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"},
    ],
)
def test_without_a_manager_nothing_is_sent_and_nothing_fails(environ: dict[str, str]) -> None:
    told = ServiceManager(environ, ManualClock())
    told.pulse(state())
    told.stopping("bye")
    told.close()
    told.stopping("bye")


def test_a_manager_that_does_not_read_blocks_nobody(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(str(tmp_path / "notify"))
        for _ in range(2_000):
            told = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify")}, ManualClock())
            told.pulse(state())
            told.close()


def test_what_a_full_queue_does_not_take_is_said_later(manager: tuple[socket.socket, str]) -> None:
    listening, name = manager
    told = ServiceManager({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "30000000"}, ManualClock())
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as others:
        others.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                others.sendto(b"NEWS", listening.getsockname())
        told.pulse(state())
        told.pulse(state())
        told.stopping("bye")
        assert set(heard(listening)) == {"NEWS"}
        told.pulse(state())
        told.stopping("bye")
        assert heard(listening) == ["READY=1", "WATCHDOG=1", "STATUS=ok: running", "STOPPING=1", "STATUS=bye"]
        told.pulse(state())
        assert heard(listening) == []
    told.close()
