"""What the worker of a maintenance job does, looked into as a thread of this process."""

from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from predsurv.collect.output.maintenance_worker import (
    ROLL_UP_ROWS,
    compact_in_process,
    expire_in_process,
    roll_up_in_process,
)
from predsurv.core.errors import PredsurvError
from predsurv.net.clock import ManualClock
from predsurv.store import manifest
from predsurv.store.layout import HOURLY, Layout, data_files, parse_file
from predsurv.store.manifest import SealedFile
from predsurv.store.seal.retention import RetentionPolicy
from predsurv.store.seal.seal import seal_segment
from predsurv.store.wal.log import WriteAheadLog
from tests.kit import threaded_workers
from tests.kit.recorder_samples import A, book

LONG_AGO = 1_600_000_000_000_000_000  # 2020-09-13
MEASURE = f"{__name__}:measure"
measured: list[tuple[Path, str, str, int]] = []
refused: list[OSError] = []


def measure(data_dir: Path, venue: str, date: str, rows: int) -> None:
    """Take the place of the measuring of a day."""
    if refused:
        raise refused.pop()
    measured.append((data_dir, venue, date, rows))


@pytest.fixture(autouse=True)
def _threads(monkeypatch: pytest.MonkeyPatch) -> None:
    threaded_workers.run_workers_as_threads(monkeypatch)
    measured.clear()
    refused.clear()


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout, clock = Layout(tmp_path), ManualClock(LONG_AGO)
    for number in range(2):
        log = WriteAheadLog(layout.state, "c0", clock)
        log.append([book(A, LONG_AGO + number)])
        path = log.close()
        assert path is not None
        seal_segment(path, layout, clock)
    return layout


def sealed(layout: Layout, chosen: Callable[[str], bool] = lambda _: True) -> list[SealedFile]:
    return [each for each in manifest.read(layout.manifest) if chosen(each.path)]


def test_a_day_with_merged_hours_is_measured_once(layout: Layout) -> None:
    merged = compact_in_process(layout, "c0", 3, Event())
    assert (merged.hours, merged.files) == (1, 2)
    roll_up_in_process(layout, sealed(layout), MEASURE, Event())
    assert measured == [(layout.data_dir, A.venue, "2020-09-13", ROLL_UP_ROWS)]


def test_days_without_hours_are_not_measured(layout: Layout) -> None:
    daily = sealed(layout, lambda path: parse_file(Path(path))[0].dataset not in HOURLY)
    roll_up_in_process(layout, daily, MEASURE, Event())
    assert measured == []


def test_a_disk_that_refuses_the_measures_of_a_day_is_named(layout: Layout) -> None:
    refused.append(OSError(28, "No space left on device"))
    with pytest.raises(PredsurvError, match="cannot measure the hours of 2020-09-13"):
        roll_up_in_process(layout, sealed(layout), MEASURE, Event())


def test_hours_expire_by_the_time_of_the_recording(layout: Layout) -> None:
    assert expire_in_process(layout, LONG_AGO + 1, RetentionPolicy(max_age=1), Event()).files == 0
    assert expire_in_process(layout, LONG_AGO + 10**16, RetentionPolicy(max_age=1), Event()).files > 0
    assert not data_files(layout, "deltas")
