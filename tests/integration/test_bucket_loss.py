"""Stores that replace what they should keep, and buckets that lose what they had: refused, told, repaired."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from predsurv.cli.app import main
from predsurv.cli.commands.bucket import bucket_of
from predsurv.collect.collector import Collector, CollectorDeps
from predsurv.config import Config
from predsurv.core.errors import SafetyError
from predsurv.store.layout import FOLDERS, Layout, data_files
from predsurv.store.remote.object_store import digest_of
from predsurv.venues.mock.venue import MockVenue
from tests.kit.collect_runs import FastClock, S, collect_until, configured, covered_seconds, scan
from tests.kit.scripted_store import BUCKET, ScriptedStore, scripted_store

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
[storage]
seal_interval = "1s"
[metrics]
port = 0
"""

Machine = Callable[[str], Path]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedStore]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "anybody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "CANARY")
    for name in ("STOP_SECONDS_MAX", "UPLOAD_SECONDS_MAX"):
        monkeypatch.setattr(f"predsurv.collect.collector.{name}", 60.0)
    with scripted_store() as running:
        yield running


@pytest.fixture
def machine(store: ScriptedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Go to a machine by its name; each has a folder of its own, all have the same bucket."""

    def go(name: str) -> Path:
        folder = tmp_path / name
        (folder / "config").mkdir(parents=True, exist_ok=True)
        (folder / "config" / "surveillance.toml").write_text(CONFIG.format(url=URL, endpoint=store.endpoint))
        monkeypatch.chdir(folder)
        return folder / "local"

    return go


def placed(store: ScriptedStore, folder: Path) -> Config:
    return configured(folder, data_dir=URL, local_dir=str(folder), object_store__endpoint=store.endpoint)


def job_of(config: Config, clock: FastClock) -> Collector:
    return Collector(config, [MockVenue(config.mock, clock)], clock, CollectorDeps(bucket=bucket_of(config)))


def files_of(config: Config) -> list[Path]:
    return [path for dataset in FOLDERS for path in data_files(Layout(config.data_dir), dataset)]


def findings(capsys: pytest.CaptureFixture[str], code: int) -> dict[str, tuple[str, str]]:
    """Return state and local copy by name, as verify --remote prints them."""
    capsys.readouterr()
    assert main(["verify", "--remote", "--format", "json"]) == code
    return {row["object"]: (row["state"], row["local"]) for row in json.loads(capsys.readouterr().out)}


@pytest.mark.parametrize(("status", "listed"), [(None, True), (None, False), (501, True)])
def test_a_store_without_conditional_puts_is_refused_before_anything_is_uploaded(
    store: ScriptedStore, machine: Machine, capsys: pytest.CaptureFixture[str], status: int | None, listed: bool
) -> None:
    here = machine("one")
    assert not listed or main(["scan"]) == 0
    store.conditions, store.condition_status = False, status
    before = store.names()
    capsys.readouterr()
    assert main(["collect", "--duration", "2s"]) == 5
    err = capsys.readouterr().err
    assert "conditional puts" in err
    assert len(err.strip().splitlines()) == 1
    assert store.names() == before
    assert not list(here.rglob("*.parquet"))
    assert main(["doctor", "--mock"]) == 1
    assert "'predsurv collect' refuses this store" in capsys.readouterr().err


async def test_of_two_collectors_of_one_id_that_start_together_one_is_refused(
    store: ScriptedStore, tmp_path: Path
) -> None:
    clock = FastClock()
    configs = [placed(store, tmp_path / name) for name in ("one", "two")]
    for config in configs:
        await scan(config, clock)
    ended = await asyncio.gather(*(job_of(each, clock).run(6 * S) for each in configs), return_exceptions=True)
    (refused,) = (n for n, end in enumerate(ended) if isinstance(end, SafetyError))
    assert files_of(configs[refused]) == []
    recorded = {
        path.relative_to(configs[1 - refused].data_dir).as_posix(): path for path in files_of(configs[1 - refused])
    }
    assert recorded
    assert {name: store.objects[f"field/{name}"].content for name in recorded} == {
        name: path.read_bytes() for name, path in recorded.items()
    }


async def test_a_store_that_replaces_objects_refuses_both(store: ScriptedStore, tmp_path: Path) -> None:
    store.conditions = False
    clock = FastClock()
    configs = [placed(store, tmp_path / name) for name in ("one", "two")]
    for config in configs:
        await scan(config, clock)
    ended = await asyncio.gather(*(job_of(each, clock).run(6 * S) for each in configs), return_exceptions=True)
    assert [type(end) for end in ended] == [SafetyError] * 2
    assert store.names() == []


def test_verify_remote_tells_every_kind_of_loss_here_and_on_another_machine(
    store: ScriptedStore, machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    here = machine("one")
    assert main(["scan"]) == 0
    collect_until("3s", lambda: covered_seconds(here))
    assert findings(capsys, 0) == {}
    data = [name.removeprefix("field/") for name in store.names("field/book_deltas")]
    lost, cut, changed, damaged, *_ = [*data, *(name.removeprefix("field/") for name in store.names("field/coverage"))]
    store.lose(f"field/{lost}")
    store.change(f"field/{cut}", store.objects[f"field/{cut}"].content[:-1])
    content = bytes(len(store.objects[f"field/{changed}"].content))
    store.change(f"field/{changed}", content, digest=digest_of(content))
    (here / damaged).write_bytes(b"damaged")
    store.lose(f"field/{damaged}")
    stranger = f"{lost.rpartition('/')[0]}/notes.txt"
    store.put(f"field/{stranger}", b"x", {})
    manifests = store.names("field/manifest")
    store.lose(manifests[-1])
    gone = manifests[-1].removeprefix("field/")
    told = {lost: ("missing", "yes"), cut: ("different", "yes"), changed: ("different", "yes")}
    told |= {damaged: ("missing", "no"), stranger: ("unknown", "")}
    asked = len(store.asked)
    assert findings(capsys, 4) == told | {gone: ("missing", "")}
    assert {method for method, _ in store.asked[asked:]} <= {"GET", "HEAD"}
    assert not [name for method, name in store.asked[asked:] if method == "GET" and name.endswith(".parquet")]

    machine("two")
    elsewhere = {name: (state, "no" if local == "yes" else local) for name, (state, local) in told.items()}
    last = gone.rpartition("-")[2].removesuffix(".jsonl")
    assert findings(capsys, 4) == {name: row for name, row in elsewhere.items() if last not in name}


def test_an_emptied_bucket_is_told_and_filled_again_by_the_next_recording(
    store: ScriptedStore, machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    here = machine("one")
    assert main(["scan"]) == 0
    collect_until("3s", lambda: covered_seconds(here))
    kept = {name: found.content for name, found in store.objects.items() if "/metadata/" not in name}
    store.objects.clear()
    assert {state for state, _ in findings(capsys, 4).values()} == {"missing"}
    collect_until("3s", lambda: kept.keys() <= store.objects.keys())
    assert {name: store.objects[name].content for name in kept} == kept
    assert findings(capsys, 0) == {}


def test_a_recording_says_at_its_end_what_is_lost_for_good(
    store: ScriptedStore, machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    here = machine("one")
    assert main(["scan"]) == 0
    collect_until("3s", lambda: covered_seconds(here))
    name = store.names("field/book_deltas")[0]
    store.lose(name)
    (here / name.removeprefix("field/")).unlink()
    capsys.readouterr()
    collect_until("3s", lambda: name in [asked for method, asked in store.asked if method == "HEAD"])
    captured = capsys.readouterr()
    assert "1 are not as uploaded: see 'predsurv verify --remote'" in captured.out
    assert "1 cannot be uploaded again" in captured.err


def test_an_empty_bucket_is_said_to_be_empty(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine("one")
    assert main(["verify", "--remote"]) == 0
    assert "nothing was uploaded yet" in capsys.readouterr().out


def test_a_bucket_is_needed_to_compare_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["verify", "--remote", "--mock"]) == 2
    assert "data_dir is a folder" in capsys.readouterr().err
