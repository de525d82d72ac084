"""``predsurv collect --processes N``: one recording in several processes, however it ends."""

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from predsurv.cli.app import main
from predsurv.store.layout import Layout
from predsurv.store.locks import LockHolder, lock_holders
from tests.kit.collect_runs import assert_whole, column
from tests.kit.command_runs import Workplace
from tests.kit.patience import PATIENCE_S, eventually, finish

PROCESSES = ("collect", "--processes", "2")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workplace]:
    made = Workplace(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["scan"]) == 0
    yield made
    made.end()


def recorders(data: Path) -> list[LockHolder]:
    """Return the collectors that record, both or none of them."""
    found = lock_holders(Layout(data).state)
    return found if len(found) == 2 and all(sealed(data, holder.collector) for holder in found) else []


def sealed(data: Path, collector: str) -> int:
    return len(list((data / "book_deltas").rglob(f"*{collector}-*.parquet")))


def both_recording(data: Path) -> list[LockHolder]:
    eventually(lambda: recorders(data))
    return recorders(data)


def test_a_signal_to_the_command_alone_ends_all_in_an_orderly_way(place: Workplace) -> None:
    data = place.data
    process = place.start(*PROCESSES, "--format", "json")
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


def test_a_process_that_is_killed_early_ends_the_recording_and_the_next_one_recovers(place: Workplace) -> None:
    data = place.data
    process = place.start(*PROCESSES)
    _, second = both_recording(data)
    os.kill(int(second.process), signal.SIGKILL)
    _, err, _ = finish(process)
    assert process.returncode == 3
    assert "the process of collector c0-2 ended without a word" in err
    assert "(killed by signal 9)" in err
    left = {path.name.partition("-0")[0] for path in Layout(data).wal.glob("*.db")}
    assert left == {"c0-2"}, "the other one stopped in good order"
    assert place.run("collect", "--duration", "1s").returncode == 0  # in one process, which is neither
    assert not list(Layout(data).wal.glob("*.db"))
    assert_whole(data)
    assert main(["verify"]) == 0


def test_processes_whose_command_is_killed_stop_in_good_order(place: Workplace) -> None:
    data = place.data
    process = place.start(*PROCESSES)
    both_recording(data)
    process.kill()
    eventually(lambda: not lock_holders(Layout(data).state))
    assert not list(Layout(data).wal.glob("*.db"))
    assert_whole(data)


def test_health_and_metrics_are_of_the_whole_recording(place: Workplace) -> None:
    process = place.start(*PROCESSES)
    both_recording(place.data)
    eventually(lambda: place.ask().status == 200 and place.ask().body["wanted"] == 40)
    with urllib.request.urlopen(f"http://127.0.0.1:{place.port}/metrics", timeout=PATIENCE_S) as answer:
        text = answer.read().decode()
    assert 'collector="c0-1"' in text
    assert 'collector="c0-2"' in text
    process.send_signal(signal.SIGTERM)
    assert finish(process)[1]
    assert process.returncode == 0


def test_a_number_of_processes_that_cannot_be_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["collect", "--processes", "0"]) == 2
    assert "--processes: expected 1 to 64; got 0" in capsys.readouterr().err
