"""Running it for months: streams that are closed or that nobody reads, signals, health, a service manager, modes."""

import json
import os
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.collect_runs import assert_whole, column
from tests.kit.command_runs import FREEZING, Workplace, full_pipe
from tests.kit.patience import eventually, finish

INTERRUPTED = """
import os, signal, sys
from predsurv.cli import app, lazy_typer
lazy_typer.run = lambda _: os.kill(os.getpid(), signal.SIGINT)
sys.exit(app.main())
"""
"""A command that is interrupted as it begins."""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workplace]:
    place = Workplace(tmp_path)
    yield place
    place.end()


@pytest.fixture
def blocked() -> Iterator[int]:
    read, write = full_pipe()
    yield write
    os.close(read)
    os.close(write)


def stopped(process: "subprocess.Popen[str]", number: signal.Signals = signal.SIGTERM) -> str:
    """Send a signal; return what was on stderr once the process has ended in good order."""
    process.send_signal(number)
    _, err, seconds = finish(process)
    assert process.returncode == 0, err
    assert seconds < 5
    return err or ""


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_streams_are_ordinary(place: Workplace, closed: str) -> None:
    for command in ("scan", "collect --duration 1s", "status", "mine"):
        done = place.run(*command.split(), script=f'exec "$@" {closed}')
        assert done.returncode == 0, (command, done.stderr)
        assert "Error" not in done.stderr + done.stdout
    assert place.run("verify").returncode == 0


def test_status_of_what_runs_says_since_when_and_how_far_it_is_counted(place: Workplace) -> None:
    def running() -> list[dict[str, Any]]:
        done = place.run("status", "--format", "json")
        return json.loads(done.stdout).get("running", []) if done.returncode == 0 else []

    process = place.start("collect")
    eventually(lambda: [each for each in running() if each["venue"]])
    (row,) = running()
    assert (row["collector"], row["process"], row["venue"]) == ("c0", str(process.pid), "mock")
    assert row["since"] < row["logged"]
    assert row["counted"] is None or row["counted"] < row["logged"]
    assert "live" in row["books"]
    shown = place.run("status").stdout
    assert "Being recorded now" in shown
    assert "nothing was recorded yet" not in shown
    stopped(process)
    assert running() == []
    assert_whole(place.data)


def test_a_stderr_that_nobody_reads_stops_neither_recording_nor_signals(place: Workplace, blocked: int) -> None:
    process = place.start("collect", stderr=blocked)
    eventually(lambda: place.sealed() > 2)
    assert place.ask().status == 200
    stopped(process)
    assert_whole(place.data)


def test_neither_stream_needs_a_reader(place: Workplace, blocked: int) -> None:
    process = place.start("collect", stdout=blocked, stderr=blocked)
    eventually(lambda: place.sealed() > 0)
    stopped(process)
    assert_whole(place.data)


def test_an_interrupt_while_it_loads_needs_no_reader(place: Workplace, blocked: int) -> None:
    process = place.start("scan", code=INTERRUPTED, stdout=blocked, stderr=blocked)
    assert process.wait(60) == 130


def test_a_report_that_nobody_reads_is_waited_for_until_a_signal_comes(place: Workplace, blocked: int) -> None:
    process = place.start("collect", "--duration", "1s", stdout=blocked)
    eventually(lambda: place.sealed() > 0 and not list((place.data / "state" / "wal").glob("*.db")))
    eventually(lambda: place.ask().status == 0)  # the run is over
    assert process.poll() is None
    stopped(process)
    assert_whole(place.data)


def test_a_reader_of_stderr_that_leaves_is_no_reason_to_stop(place: Workplace) -> None:
    process = place.start("collect")
    assert process.stderr is not None
    process.stderr.close()
    process.stderr = None
    eventually(lambda: place.sealed() > 2)
    stopped(process)


def test_a_frozen_event_loop_is_unhealthy_and_still_hears_signals(place: Workplace) -> None:
    process = place.start("collect", code=FREEZING)
    eventually(lambda: place.sealed() > 0 and place.ask().status == 200)
    os.mkfifo(place.folder / "freeze")
    eventually(lambda: place.ask().status == 503)
    answer = place.ask()
    assert "the event loop has stood still for" in answer.body["causes"][0]
    assert list(answer.body["venues"]) == ["mock"]
    assert place.ask("/livez").status == 503
    process.send_signal(signal.SIGTERM)
    _, err, seconds = finish(process)
    assert process.returncode == 1
    assert seconds < 6
    assert "the event loop stands still" in err
    (place.folder / "freeze").unlink()
    assert place.run("collect", "--duration", "1s").returncode == 0
    assert_whole(place.data)


def test_a_second_signal_ends_a_frozen_event_loop_at_once(place: Workplace) -> None:
    process = place.start("collect", code=FREEZING)
    eventually(lambda: place.sealed() > 0)
    os.mkfifo(place.folder / "freeze")
    eventually(lambda: place.ask().status == 503)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    eventually(lambda: process.poll() is not None)
    assert process.returncode in (1, 130)  # both may be one signal to the process


def test_sighup_without_a_log_file_stops_in_good_order(place: Workplace) -> None:
    process = place.start("collect")
    eventually(lambda: place.sealed() > 0)
    assert "stopping: writing what was recorded" in stopped(process, signal.SIGHUP)
    assert_whole(place.data)


def test_sighup_opens_the_log_file_anew(place: Workplace) -> None:
    process = place.start("collect", "--log-file", "collect.log")
    log, old = place.folder / "collect.log", place.folder / "collect.log.1"
    eventually(lambda: place.sealed() > 0 and log.stat().st_size)
    log.rename(old)
    process.send_signal(signal.SIGHUP)
    eventually(lambda: log.exists() and "opened anew" in log.read_text())
    assert stopped(process).splitlines() == [
        "stopping: writing what was recorded; interrupt again to leave at once",
    ]
    assert "wanted books are known" in old.read_text()
    assert stat.S_IMODE(log.stat().st_mode) == 0o640


def test_what_was_started_to_ignore_sighup_ignores_it(place: Workplace) -> None:
    process = place.start("collect", script='trap "" HUP; exec "$@"')
    eventually(lambda: place.sealed() > 0)
    process.send_signal(signal.SIGHUP)
    before = place.sealed()
    eventually(lambda: place.sealed() > before + 1)
    stopped(process)


def test_a_signal_before_the_recording_begins_ends_it_in_good_order(place: Workplace) -> None:
    mute = socket.create_server(("127.0.0.1", 0))  # takes connections and says nothing
    url = f"http://127.0.0.1:{mute.getsockname()[1]}/trade-api/v2"
    environ = {"PREDSURV_MOCK__ENABLED": "false", "PREDSURV_VENUES__KALSHI__REST_URL": url}
    process = place.start("collect", "kalshi", environ=environ)
    eventually(lambda: place.ask().status == 503)
    answer = place.ask()
    assert answer.body["causes"] == ["starting: reading the venues' lists"]
    assert place.ask("/livez").status == 200
    assert "stopped before anything was recorded" in stopped(process)
    mute.close()


@pytest.mark.parametrize(
    "arguments", [["collect", "--plan"], ["collect", "--duration", "1s"], ["trade", "--paper", "--duration", "1s"]]
)
def test_a_fresh_host_needs_no_scan(place: Workplace, arguments: list[str]) -> None:
    done = place.run(*arguments)
    assert done.returncode == 0, done.stderr
    assert "scanning first" in done.stderr
    assert len(list(place.data.rglob("universe.jsonl"))) == 1


@pytest.mark.parametrize("command", ["collect", "trade"])
def test_a_first_scan_that_fails_is_one_line(place: Workplace, command: str) -> None:
    url = "http://127.0.0.1:9/trade-api/v2"
    environ = {"PREDSURV_MOCK__ENABLED": "false", "PREDSURV_VENUES__KALSHI__REST_URL": url}
    done = place.run(command, *(["kalshi"] if command == "collect" else ["--venue", "kalshi"]), environ=environ)
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].startswith("error: kalshi: cannot connect to 127.0.0.1:9")
    assert done.stderr.splitlines()[-1].endswith("try 'predsurv doctor'")


def test_a_service_manager_hears_how_it_is(place: Workplace) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(place.folder / "notify"))
        manager.settimeout(60)
        environ = {"NOTIFY_SOCKET": str(place.folder / "notify"), "WATCHDOG_USEC": "600000"}
        process = place.start("collect", environ=environ)
        told: list[str] = []

        def hear(wanted: str) -> bool:
            while wanted not in told:
                told.extend(manager.recv(4_096).decode().splitlines())
            return True

        assert hear("READY=1")
        told = [line for line in told if line != "WATCHDOG=1"]
        assert hear("WATCHDOG=1")
        while not any(line.startswith("STATUS=ok: mock recording") for line in told):
            told += manager.recv(4_096).decode().splitlines()
        stopped(process)
        assert hear("STOPPING=1")


def test_a_process_that_was_stopped_records_the_time_as_a_gap(place: Workplace) -> None:
    process = place.start("collect", "--log-file", "collect.log")
    eventually(lambda: place.sealed() > 0)
    process.send_signal(signal.SIGSTOP)
    since = time.monotonic()
    eventually(lambda: time.monotonic() - since > 6)
    process.send_signal(signal.SIGCONT)
    eventually(lambda: "the process stood still for" in (place.folder / "collect.log").read_text())
    stopped(process)
    gaps = column(place.data, "coverage", "start", "end", "reason")
    longest = max(int(str(end)) - int(str(start)) for start, end, reason in gaps if reason == "stall")
    assert longest > 5_000_000_000
    assert place.run("verify", "--deep").returncode == 0


def test_nothing_is_writable_for_others_whatever_the_umask(place: Workplace) -> None:
    for command in (
        "scan",
        "collect --duration 1s --log-file collect.log",
        "mine --html",
        "trade --paper --duration 1s",
    ):
        done = place.run(*command.split(), script='umask 000; exec "$@"')
        assert done.returncode == 0, done.stderr
    made = [place.folder / "collect.log", place.data, *place.data.rglob("*")]
    writable = [str(path) for path in made if path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH)]
    assert not writable
    state = place.data / "state"
    assert not [str(path) for path in [state, *state.rglob("*")] if path.is_dir() and path.stat().st_mode & 0o077]


def test_a_reader_that_takes_one_line_is_no_failure(place: Workplace) -> None:
    assert place.run("collect", "--duration", "1s").returncode == 0
    done = place.run("status", script='{ "$@"; echo "left $?" >&2; } | head -n 1')
    assert (done.stderr, len(done.stdout.splitlines())) == ("left 0\n", 1)


def test_a_full_disk_behind_stdout_is_told(place: Workplace) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    done = place.run("config", "show", script='exec "$@" > /dev/full')
    assert done.returncode == 1
    assert done.stderr == "error: No space left on device; free disk space\n"
