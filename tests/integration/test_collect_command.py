"""``predsurv collect``, ``status`` and ``verify`` as processes: signals, kills, and what is printed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from predsurv.cli.app import main
from predsurv.collect.collector import Collector, CollectorDeps
from predsurv.collect.selection.interest import MinedScore
from predsurv.config import load
from predsurv.core.ids import VenueName
from predsurv.mine.previous_scores import EarlierScores
from predsurv.mine.scores import weights
from predsurv.net.clock import SystemClock
from predsurv.store.layout import Layout
from predsurv.venues.mock.venue import MockVenue
from tests.kit.collect_runs import assert_whole, collect_until, column, covered_seconds
from tests.kit.patience import eventually, finish

CONFIG = """
data_dir = "data"
[mock]
enabled = true
markets = 60
rate = 300
[collector]
max_instruments = 40
rotation_period = "2s"
[storage]
seal_interval = "1s"
heartbeat_interval = "1s"
[metrics]
port = 0
"""


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "surveillance.toml").write_text(CONFIG)


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[subprocess.Popen[str]] = []

    def run(*arguments: str) -> "subprocess.Popen[str]":
        root = str(Path(__file__).resolve().parents[2])
        process = subprocess.Popen(
            [sys.executable, "-m", "predsurv", *arguments],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": root},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()


def sealed(data_dir: Path) -> int:
    return len(list((data_dir / "book_deltas").rglob("*.parquet")))


def test_a_killed_recording_is_recovered_with_a_crash_gap_and_nothing_twice(tmp_path: Path, start: Start) -> None:
    data = tmp_path / "data"
    assert main(["scan"]) == 0
    for round_ in range(2):
        before = sealed(data)
        process = start("collect")
        eventually(lambda before=before: sealed(data) > before + 1)  # type: ignore[misc]
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert list(Layout(data).wal.glob("*.db")), f"round {round_}: something was left to recover"
    killed = time.time_ns()
    assert main(["collect", "--duration", "3s"]) == 0
    assert_whole(data)
    crashes = [row for row in column(data, "coverage", "instrument_id", "start", "end", "reason") if row[3] == "crash"]
    # A gap that is still open when a segment is closed is written in pieces: only the first begins at the crash.
    written = {(instrument, end) for instrument, _, end, _ in crashes}
    latest = max(int(str(start)) for instrument, start, _, _ in crashes if (instrument, start) not in written)
    recorded = [int(str(ts)) for (ts,) in column(data, "deltas", "ts_recv")]
    last = max(ts for ts in recorded if ts < killed)  # how long before the kill that was is up to the machine
    assert abs(last - latest) < 3_000_000_000
    assert main(["verify"]) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_recording_in_an_orderly_way(tmp_path: Path, start: Start, number: signal.Signals) -> None:
    assert main(["scan"]) == 0
    process = start("collect", "--format", "json")
    eventually(lambda: sealed(tmp_path / "data") > 0)
    process.send_signal(number)
    out, err, seconds = finish(process)
    assert process.returncode == 0, err
    assert seconds < 5
    tables = json.loads(out)
    assert tables["venues"][0]["gap_reasons"].startswith("subscribing")
    assert sum(row["rows"] for row in tables["files"]) > 0
    assert "stopping" in err
    assert not list(Layout(tmp_path / "data").wal.glob("*.db"))
    assert_whole(tmp_path / "data")


def test_the_plan_is_shown_without_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan"]) == 0
    capsys.readouterr()
    assert main(["collect", "--plan", "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["venue"], row["instruments"], row["exploited"], row["explored"]) == ("mock", 40, 28, 12)
    assert row["revisit_s"] == 2.0 * -(-(row["candidates"] - 28) // 3)
    assert (row["connections"], row["basis"]) == (1, "a guess")
    assert row["messages_per_s"] > 0
    assert row["files_per_day"] > 0
    assert not (tmp_path / "data" / "state" / "wal").exists()


def test_the_plan_goes_by_what_an_earlier_day_took(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    assert main(["scan"]) == 0
    collect_until("4s", lambda: len(covered_seconds(data)) >= 30)
    capsys.readouterr()
    assert main(["collect", "--plan", "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["basis"].startswith("recorded 20")
    rate = len(column(data, "deltas", "ts_recv")) / sum(covered_seconds(data).values())
    assert 0.2 < row["messages_per_s"] / (rate * row["instruments"]) < 5
    assert row["bytes_per_day"] > 1_000_000


def test_status_shows_how_much_of_the_wanted_time_was_covered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status"]) == 2
    assert "collect" in capsys.readouterr().err
    data = tmp_path / "data"
    assert main(["scan"]) == 0
    collect_until("2s", lambda: sum(covered_seconds(data).values()))
    capsys.readouterr()
    assert main(["status", "--format", "json"]) == 0
    tables = json.loads(capsys.readouterr().out)
    shares = {row["reason"]: row["share"] for row in tables["coverage"]}
    wanted = sum(int(str(end)) - int(str(start)) for start, end in column(data, "coverage", "start", "end")) / 1e9
    assert shares["live"] == pytest.approx(sum(covered_seconds(data).values()) / wanted, abs=1e-3)
    assert 0 < shares["live"] < 1
    assert sum(shares.values()) == pytest.approx(1)
    assert {row["dataset"] for row in tables["stored"]} >= {"book_deltas", "orderbook_snapshots", "coverage"}
    assert tables["log"][0]["collector"] == "c0"


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-9] + b"123456789"), "digest"),
        (lambda path: path.unlink(), "manifest"),
        (lambda path: path.with_name(path.name.replace("-c0-", "-c9-")).write_bytes(path.read_bytes()), "manifest"),
    ],
)
def test_verify_finds_damage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[Path], object], says: str
) -> None:
    assert main(["scan"]) == 0
    collect_until("1s", lambda: list((tmp_path / "data" / "trades").rglob("*.parquet")))
    damage(next((tmp_path / "data" / "trades").rglob("*.parquet")))
    capsys.readouterr()
    assert main(["verify", "--format", "json"]) == 4
    captured = capsys.readouterr()
    assert [row["check"] for row in json.loads(captured.out)["findings"]] == [says]
    assert "1 finding " in captured.err


def test_verify_finds_time_that_no_interval_accounts_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan"]) == 0
    assert main(["collect", "--duration", "2s"]) == 0
    latest = max((tmp_path / "data" / "coverage").rglob("*.parquet"))
    assert main(["collect", "--duration", "1s"]) == 0
    latest.unlink()
    capsys.readouterr()
    assert main(["verify", "--format", "json"]) == 4
    assert "tiling" in {row["check"] for row in json.loads(capsys.readouterr().out)["findings"]}


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["collect", "--duration", "soon"], 2, "--duration"),
        (["collect", "--duration", "0s"], 2, "--duration"),
        (["collect", "nowhere"], 2, "nowhere"),
    ],
)
def test_an_impossible_command_is_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, says: str
) -> None:
    assert main(arguments) == code
    err = capsys.readouterr().err
    assert says in err
    assert len(err.strip().splitlines()) == 1


def test_two_signals_leave_at_once_and_lose_nothing_that_was_received(tmp_path: Path, start: Start) -> None:
    assert main(["scan"]) == 0
    process = start("collect")
    eventually(lambda: sealed(tmp_path / "data") > 0)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    seconds = finish(process)[-1]
    assert process.returncode in (0, 130)  # 0: it was quicker than the second one
    assert seconds < 5
    assert main(["collect", "--duration", "1s"]) == 0
    assert_whole(tmp_path / "data")


def test_statistics_decide_which_instruments_are_recorded_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scan"]) == 0
    collect_until("4s", lambda: len(covered_seconds(tmp_path / "data")) >= 30)
    assert main(["mine"]) == 0
    config = load().config
    scores = EarlierScores(config.data_dir, VenueName("mock"), weights({})).current()
    assert len(scores) >= 30
    assert all(0 <= busy + other <= evidence <= 1 for busy, other, evidence in scores.values())
    # As if an hour had been recorded and each had turned out as it seems by now.
    mined = {key: MinedScore(busy / evidence, other / evidence, 1.0) for key, (busy, other, evidence) in scores.items()}
    job = Collector(
        config,
        [MockVenue(config.mock, SystemClock())],
        SystemClock(),
        CollectorDeps(lambda _: mined),
    )
    made = job.preview()[VenueName("mock")].plan
    exploited = {key for key, why in made.reasons.items() if why == "exploited"}
    value = {key: each.busy + each.other for key, each in mined.items()}
    waiting = [score for key, score in value.items() if key not in exploited]
    held = [value[key] for key in exploited if key in value]
    assert len(held) >= 10
    assert min(held) >= max(waiting, default=0)


def test_a_busy_metrics_port_is_no_reason_to_stop(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as busy:
        monkeypatch.setenv("PREDSURV_METRICS__PORT", str(busy.getsockname()[1]))
        assert main(["scan"]) == 0
        capsys.readouterr()
        assert main(["collect", "--duration", "1s"]) == 0
    warnings = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert len(warnings) == 1
    assert "metrics are off" in warnings[0]
