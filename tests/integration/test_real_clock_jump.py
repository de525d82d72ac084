"""The collector against a simulated Polymarket while libfaketime sets its clock, as on a machine whose clock is set."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from predsurv.store.layout import Layout
from predsurv.store.read.verify import verify_recording
from tests.kit import faketime
from tests.kit.collect_runs import S, column
from tests.kit.command_runs import Workplace
from tests.kit.patience import eventually, finish

HOUR = 3_600 * S


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workplace]:
    place = Workplace(tmp_path)
    yield place
    place.end()


def served(place: Workplace) -> Mapping[str, str]:
    """Start a simulated venue; return the variables that lead to it."""
    venue = place.start("simulate", "polymarket", "--markets", "100", "--rate", "2000")
    assert venue.stdout is not None
    exports = {"PREDSURV_MOCK__ENABLED": "false"}
    while "PREDSURV_VENUES__POLYMARKET__WS_USER_URL" not in exports:
        name, _, value = venue.stdout.readline().removeprefix("export ").strip().partition("=")
        exports[name] = value
    return exports


def sealed(place: Workplace) -> set[str]:
    """Return the names of the files of changes; those that were merged meanwhile are gone."""
    return {path.name for path in (place.data / "book_deltas").rglob("*.parquet")}


@pytest.mark.skipif(faketime.library() is None, reason="libfaketime is not installed")
def test_a_clock_that_jumps_ahead_and_back_leaves_gaps_and_right_books(place: Workplace) -> None:
    path, offset, exports = faketime.library(), place.folder / "offset", served(place)
    assert path is not None
    faketime.set_offset(offset, 0)
    assert place.run("scan", "polymarket", environ=exports).returncode == 0
    process = place.start("collect", "polymarket", environ={**exports, **faketime.environ(path, offset)})
    for by in (0, 600 * S, 30 * HOUR, 29 * HOUR):
        faketime.set_offset(offset, by)
        before = sealed(place)
        eventually(lambda: len(sealed(place) - before) >= 2)  # noqa: B023 - called before the next round
    process.terminate()
    finish(process)
    assert process.returncode == 0
    rows = column(place.data, "coverage", "reason", "start", "end")
    lengths = [int(str(end)) - int(str(start)) for reason, start, end in rows if reason == "clock_step"]
    assert sum(length > 500 * S for length in lengths) >= 60
    assert verify_recording(Layout(place.data), deep=True).findings == ()
