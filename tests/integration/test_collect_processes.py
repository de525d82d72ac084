"""``predsurv collect --processes N``: one recording in several processes, however it ends."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from predsurv.cli.app import main
from predsurv.store.layout import Layout
from predsurv.store.locks import LockHolder, lock_holders
from tests.kit.collect_runs import assert_whole, column
from tests.kit.patience import PATIENCE_S, eventually, finish

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

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "surveillance.toml").write_text(CONFIG)
    assert main(["scan"]) == 0


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[subprocess.Popen[str]] = []

    def run(*arguments: str) -> "subprocess.Popen[str]":
        root = str(Path(__file__).resolve().parents[2])
        process = subprocess.Popen(
            [sys.executable, "-m", "predsurv", "collect", "--processes", "2", *arguments],
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
        process.communicate(timeout=PATIENCE_S)


def recorders(data: Path) -> list[LockHolder]:
    """Return the collectors that record, both or none of them."""
    found = lock_holders(Layout(data).state)
    return found if len(found) == 2 and all(sealed(data, holder.collector) for holder in found) else []


def sealed(data: Path, collector: str) -> int:
    return len(list((data / "book_deltas").rglob(f"*{collector}-*.parquet")))


def both_recording(data: Path) -> list[LockHolder]:
    eventually(lambda: recorders(data))
    return recorders(data)


def test_a_signal_to_the_command_alone_ends_all_in_an_orderly_way(tmp_path: Path, start: Start) -> None:
    data = tmp_path / "data"
    process = start("--format", "json")
    assert [each.collector for each in both_recording(data)] == ["c0-1", "c0-2"]
    process.send_signal(signal.SIGINT)
    out, err, _ = finish(process)
    assert process.returncode == 0, err
    (venue,), files = json.loads(out)["venues"], json.loads(out)["files"]
    assert venue["venue"] == "mock"
    assert 0 < venue["observed"] <= 1
    written = next(row["rows"] for row in files if row["dataset"] == "book_deltas")
    assert written == len(column(data, "deltas", "ts_recv"))
    assert "stopping: writing what was recorded" in err
    assert '"collector": "c0-2"' in err, "each log line names its process"
    assert '"logger": "httpx"' not in err, "libraries are as quiet as in one process"
    assert not list(Layout(data).wal.glob("*.db"))
    assert_whole(data)
    owners: dict[object, set[str]] = {}
    for path in (data / "book_deltas").rglob("*.parquet"):
        for instrument in pq.ParquetFile(path).read(columns=["instrument_id"])["instrument_id"].to_pylist():
            owners.setdefault(instrument, set()).add("c0-1" if "c0-1-" in path.name else "c0-2")
    assert all(len(names) == 1 for names in owners.values()), "no instrument is recorded twice"
    assert {name for names in owners.values() for name in names} == {"c0-1", "c0-2"}


def test_a_process_that_is_killed_early_ends_the_recording_and_the_next_one_recovers(
    tmp_path: Path, start: Start
) -> None:
    data = tmp_path / "data"
    process = start()
    _, second = both_recording(data)
    os.kill(int(second.process), signal.SIGKILL)
    _, err, _ = finish(process)
    assert process.returncode == 3
    assert "the process of collector c0-2 ended without a word" in err
    left = {path.name.partition("-0")[0] for path in Layout(data).wal.glob("*.db")}
    assert left == {"c0-2"}, "the other one stopped in good order"
    assert main(["collect", "--duration", "1s"]) == 0  # in one process, which is neither
    assert not list(Layout(data).wal.glob("*.db"))
    assert_whole(data)
    assert main(["verify"]) == 0


def test_processes_whose_command_is_killed_stop_in_good_order(tmp_path: Path, start: Start) -> None:
    data = tmp_path / "data"
    process = start()
    both_recording(data)
    process.kill()
    eventually(lambda: not lock_holders(Layout(data).state))
    assert not list(Layout(data).wal.glob("*.db"))
    assert_whole(data)


def test_health_and_metrics_are_of_the_whole_recording(tmp_path: Path, start: Start) -> None:
    port = 20_000 + os.getpid() % 20_000
    (tmp_path / "config" / "surveillance.toml").write_text(CONFIG.replace("port = 0", f"port = {port}"))
    process = start()
    both_recording(tmp_path / "data")
    eventually(lambda: healthy(port))
    text = read(port, "/metrics")
    assert 'collector="c0-1"' in text
    assert 'collector="c0-2"' in text
    process.send_signal(signal.SIGTERM)
    assert finish(process)[1]
    assert process.returncode == 0


def healthy(port: int) -> bool:
    try:
        body = json.loads(read(port, "/healthz"))
    except OSError:
        return False
    return bool(body["ok"] and body["wanted"] == 40)


def read(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE_S) as answer:
        return str(answer.read().decode())


def test_a_number_of_processes_that_cannot_be_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["collect", "--processes", "0"]) == 2
    assert "--processes: expected 1 to 64; got 0" in capsys.readouterr().err
