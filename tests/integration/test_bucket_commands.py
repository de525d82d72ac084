"""The commands with a bucket as their place: what one machine records, another reads, and every refusal is one line."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from predsurv.cli.app import main
from predsurv.core.errors import TransientError
from predsurv.store.remote.object_store import Bucket
from tests.kit.collect_runs import collect_until, covered_seconds
from tests.kit.object_store import BUCKET, ObjectStoreServer, object_store

URL = f"s3://{BUCKET}/field"
CONFIG = """
data_dir = "{url}"
local_dir = "local"
[object_store]
endpoint = "{endpoint}"
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

Machine = Callable[[str], Path]


@pytest.fixture(scope="module")
def running() -> Iterator[ObjectStoreServer]:
    with object_store() as server:
        yield server


@pytest.fixture
def machine(running: ObjectStoreServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Go to a machine by its name; each has a folder of its own, all have the same bucket."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "anybody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "CANARY")
    monkeypatch.setattr("predsurv.collect.collector.UPLOAD_SECONDS_MAX", 60.0)
    monkeypatch.setattr("predsurv.collect.collector.STOP_SECONDS_MAX", 60.0)
    running.empty()

    def go(name: str) -> Path:
        folder = tmp_path / name
        (folder / "config").mkdir(parents=True, exist_ok=True)
        (folder / "config" / "surveillance.toml").write_text(CONFIG.format(url=URL, endpoint=running.endpoint))
        monkeypatch.chdir(folder)
        return folder / "local"

    return go


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> object:
    capsys.readouterr()
    assert main([*arguments, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def differences(one: dict[str, object], other: dict[str, object]) -> dict[str, object]:
    """Return where two rows differ, but for the last bits of sums that threads add up in any order."""
    return {key: (one[key], other[key]) for key in one if other[key] != pytest.approx(one[key], nan_ok=True)}


def test_another_machine_sees_what_one_recorded(
    machine: Machine, running: ObjectStoreServer, capsys: pytest.CaptureFixture[str]
) -> None:
    here = machine("one")
    assert main(["scan"]) == 0
    collect_until("4s", lambda: len(covered_seconds(here)) >= 10)
    assert "bucket: nothing is waiting; " in capsys.readouterr().out
    mined = printed(capsys, "mine")
    assert isinstance(mined, list)
    assert len(mined) >= 10

    there = machine("two")
    assert not there.exists()
    again = printed(capsys, "mine")
    assert isinstance(again, list)
    assert [differences(one, other) for one, other in zip(mined, again, strict=True)] == [{}] * len(mined)
    fetched = {
        path: path.stat().st_mtime_ns
        for path in there.rglob("*.parquet")
        if not {"stats", "day_rollups"} & {*path.parts}
    }
    assert {path.relative_to(there) for path in fetched} == {
        path.relative_to(here) for path in here.rglob("*.parquet") if not {"stats", "day_rollups"} & {*path.parts}
    }
    assert main(["verify"]) == 0
    assert f"{len(fetched)} files are as they were sealed" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in fetched} == fetched, "what is there is not fetched again"
    tables = printed(capsys, "status")
    assert isinstance(tables, dict)
    assert sum(row["files"] for row in tables["bucket"]) == len(fetched)

    one = next(there.rglob("book_deltas/**/*.parquet"))
    one.write_bytes(one.read_bytes()[:-9] + b"123456789")
    assert main(["verify"]) == 4

    options = {"aws_endpoint_url": running.endpoint, "aws_region": "us-east-1", "aws_allow_http": "true"}
    for dataset in ("book_deltas", "coverage", "orderbook_snapshots"):
        cloud = pl.scan_parquet(f"{URL}/{dataset}/", hive_partitioning=True, storage_options=options)
        local = pl.scan_parquet(here / dataset, hive_partitioning=True)
        count = cloud.select(pl.len()).collect().item()
        assert count == local.select(pl.len()).collect().item() > 0


def test_a_backtest_fetches_its_days(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    here = machine("one")
    assert main(["scan"]) == 0
    collect_until("3s", lambda: covered_seconds(here))
    (day,) = {path.name.removeprefix("date=") for path in (here / "coverage").rglob("date=*")}
    ran = printed(capsys, "backtest", "mock", day, "--strategy", "simple")
    machine("two")
    assert printed(capsys, "backtest", "mock", day, "--strategy", "simple") == ran
    machine("three")
    assert printed(capsys, "trade", "--replay", f"mock:{day}", "--strategy", "simple")
    assert main(["backtest", "mock", "2020-01-01"]) == 2
    assert f"there is {day}" in capsys.readouterr().err


def test_the_plan_says_where_it_goes(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine("one")
    assert main(["scan"]) == 0
    capsys.readouterr()
    assert main(["collect", "--plan"]) == 0
    assert f"files go to {URL} by way of local" in capsys.readouterr().out


def test_one_id_on_two_machines_is_refused_before_anything_is_recorded(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine("one")
    assert main(["scan"]) == 0
    assert main(["collect", "--duration", "1s"]) == 0
    second = machine("two")
    assert main(["scan"]) == 0
    capsys.readouterr()
    assert main(["collect", "--duration", "1s"]) == 5
    captured = capsys.readouterr()
    assert "give this one another collector.id" in captured.err
    assert not list(second.rglob("*.parquet"))
    assert "CANARY" not in captured.err + captured.out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["compact"], 5, "never merged"),
        (["mine"], 2, "run 'predsurv collect' first"),
        (["status"], 2, "run 'predsurv collect' first"),
    ],
)
def test_an_impossible_command_is_refused_in_one_line(
    machine: Machine, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, says: str
) -> None:
    machine("one")
    assert main(arguments) == code
    err = capsys.readouterr().err
    assert says in err
    assert len(err.strip().splitlines()) == 1


def test_a_store_that_is_down_is_said_in_one_line(
    machine: Machine, running: ObjectStoreServer, capsys: pytest.CaptureFixture[str]
) -> None:
    machine("one")
    running.off()
    try:
        assert main(["mine"]) == 3
        err = capsys.readouterr().err
        assert "cannot be used" in err
        assert len(err.strip().splitlines()) == 1
        assert main(["scan"]) == 0
        assert "the next collect uploads the universe" in capsys.readouterr().err
        assert main(["doctor"]) == 1
    finally:
        running.on()
    assert main(["doctor"]) == 0
    assert "CANARY" not in capsys.readouterr().out


def test_without_an_answer_what_is_here_is_used(
    machine: Machine, running: ObjectStoreServer, capsys: pytest.CaptureFixture[str]
) -> None:
    here = machine("one")
    assert main(["scan"]) == 0
    collect_until("3s", lambda: covered_seconds(here))
    (day,) = {path.name.removeprefix("date=") for path in (here / "coverage").rglob("date=*")}
    commands = [["status"], ["verify"], ["mine"], ["mine", "mock", day], ["backtest", "mock", day]]
    running.off()
    try:
        for command in commands:
            capsys.readouterr()
            assert main(command) == 0, command
            told = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
            assert len(told) == 1, command
            assert "going on with what is in local" in told[0]
        for command in (["mine", "mock", "2020-01-01"], ["mine", "MOCK!"], ["backtest", "mock", "2020-01-01"]):
            assert main(command) == 3, command
            assert "nothing of what is asked for is in local" in capsys.readouterr().err
        next(here.rglob("book_deltas/**/*.parquet")).unlink()
        for command in commands[1:]:
            assert main(command) == 3, command
            assert "it alone has 1 file of what is asked for, such as book_deltas/" in capsys.readouterr().err
        machine("two")
        assert main(["status"]) == 3
        assert "nothing of what is asked for is in local" in capsys.readouterr().err
    finally:
        running.on()
    machine("one")
    assert main(["verify"]) == 0


def test_a_store_that_fails_after_it_told_what_it_has_is_an_error(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = machine("one")
    assert main(["scan"]) == 0
    collect_until("3s", lambda: covered_seconds(here))
    machine("two")

    async def fail(*_: object) -> bytes:
        raise TransientError("the store went away")

    monkeypatch.setattr(Bucket, "read", fail)
    assert main(["verify"]) == 3
    assert "the store went away" in capsys.readouterr().err


def test_without_the_library_it_says_what_to_install(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine("one")
    monkeypatch.setitem(__import__("sys").modules, "obstore.store", None)
    assert main(["collect", "--duration", "1s"]) == 2
    err = capsys.readouterr().err
    assert "pip install '.[s3]' in the checkout" in err
    assert len(err.strip().splitlines()) == 1


def test_a_bucket_that_does_not_exist_is_named(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine("one")
    monkeypatch.setenv("PREDSURV_DATA_DIR", "s3://no-such-bucket/x")
    assert main(["mine"]) == 3
    assert "s3://no-such-bucket/x: there is no such bucket" in capsys.readouterr().err
