"""What every long command shares: its duration, its log file, what is said of its health and of lines nobody read."""

import io
import json
import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO, cast

import pytest

from predsurv.cli import streams
from predsurv.cli.output.live_panel import Stderr
from predsurv.cli.runtime import Supervision, duration_ns, lines_dropped, long_run, request_levels
from predsurv.cli.service_manager import ServiceManager
from predsurv.config import load
from predsurv.core.errors import ConfigError
from predsurv.net.clock import ManualClock
from predsurv.ports import RequestLevel
from predsurv.store.layout import Layout
from predsurv.store.log_places import noted_logs
from predsurv.telemetry import logs
from predsurv.telemetry.health import RunHealth
from predsurv.telemetry.metrics import LIMITS
from predsurv.telemetry.output_relay import OutputRelay
from predsurv.venues.registry import open_venue
from tests.kit.patience import eventually


def test_a_duration_is_ns() -> None:
    assert duration_ns(None) is None
    assert duration_ns("1500ms") == 1_500_000_000


@pytest.mark.parametrize("text", ["", "0s", "-5s", "soon", "5"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r'--duration: expected a time such as "60s"'):
        duration_ns(text)


def test_dropped_lines_of_stderr_and_of_the_log_are_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lines_dropped() == 0
    with (tmp_path / "err").open("w") as err, (tmp_path / "log").open("w") as log:
        stderr, relay = OutputRelay(err, bytes_max=0), OutputRelay(log, bytes_max=0)
        monkeypatch.setattr(sys, "stderr", stderr)
        sys.stderr.write("one\ntwo\n")
        for stream, dropped in ((cast(TextIO, Stderr()), 3), (cast(TextIO, relay), 4)):
            undo = logs.set_up(stream=stream)
            try:
                logging.getLogger("predsurv").warning("a line")
                assert lines_dropped() == dropped
            finally:
                undo()
        stderr.finish(1)
        relay.finish(1)


@pytest.fixture
def stderr_restored() -> Iterator[None]:
    yield
    streams.end_relay()


@pytest.mark.usefixtures("stderr_restored")
def test_a_log_file_that_cannot_be_opened_anew_is_kept(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    kept = tmp_path / "moved" / "collect.log"
    with long_run(tmp_path / "logs" / "collect.log"):
        (tmp_path / "logs").rename(tmp_path / "moved")
        os.kill(os.getpid(), signal.SIGHUP)
        eventually(lambda: "cannot be opened anew" in kept.read_text())


@pytest.mark.usefixtures("stderr_restored")
def test_the_data_folder_knows_the_log_file_whose_lines_say_the_collector(tmp_path: Path) -> None:
    file, data = tmp_path / "collect.log", tmp_path / "data"
    with long_run(file, data_dir=data, collector="c1"):
        logging.getLogger("predsurv").warning("a line")
    assert noted_logs(Layout(data)) == [file]
    assert json.loads(file.read_text())["collector"] == "c1"


@pytest.mark.usefixtures("stderr_restored")
def test_a_data_folder_that_cannot_be_written_is_said_in_the_log(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with long_run(tmp_path / "collect.log", data_dir=tmp_path / "data"):
        pass
    assert "'predsurv logs' will not find this file" in (tmp_path / "collect.log").read_text()


@pytest.mark.usefixtures("stderr_restored")
def test_a_log_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--log-file: .*No such file"), long_run(tmp_path / "none" / "x.log"):
        pytest.fail("entered")


class Unread(io.StringIO):
    dropped = 1_234


def test_lines_that_nobody_read_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Supervision(ManualClock(), ServiceManager({}, ManualClock()))
    assert run.health().run.warnings == ()
    monkeypatch.setattr(sys, "stderr", Unread())
    assert run.health().run.warnings == ("1,234 lines were dropped: nobody reads them",)


def test_a_run_that_is_stopped_early_does_not_begin_after_all() -> None:
    run = Supervision(ManualClock(), ServiceManager({}, ManualClock()))
    run.stopping("writing")
    run.go_on("recording", RunHealth)
    assert run.health().causes == ("stopping: writing",)


def test_the_room_of_limits_is_told_with_venue_and_name() -> None:
    class Asking:
        def request_levels(self) -> dict[str, RequestLevel]:
            return {"reads": RequestLevel(1, 2, 3)}

    assert request_levels([("kalshi", Asking()), ("mock", object())]) == [("kalshi", "reads", RequestLevel(1, 2, 3))]


@pytest.mark.parametrize(("name", "limits"), [("kalshi", {"requests", "aside"}), ("polymarket", None), ("mock", set())])
async def test_every_venue_tells_the_room_of_its_limits(name: str, limits: set[str] | None) -> None:
    venue = open_venue(name, load(None, environ={}).config, ManualClock())
    found = {limit: level for _, limit, level in request_levels([(name, venue)])}
    assert set(found) == ({"listing", "books", "lookups", "closed_markets"} if limits is None else limits)
    assert set(found) <= set(LIMITS)
    assert all(level.available == level.burst and not level.waiting for level in found.values())
    await venue.aclose()
