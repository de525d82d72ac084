"""A release holds the files as they are, and says what was observed."""

import csv
import hashlib
import json
from pathlib import Path

import pytest

from predsurv.core.errors import ConfigError
from predsurv.interchange.release import write_release
from tests.kit.backtests import books, covered, hours, listed_on
from tests.kit.recordings import record
from tests.kit.trading_samples import YES, S, V, market, trade

DAY = "2027-01-15"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    listed_on(folder, 0, market())
    record(
        folder, hours(2), [*books(YES, hours(1)), trade(52, 5, "buy", hours(1) + S), covered(YES, hours(1), hours(2))]
    )
    return folder


def release(data: Path, target: Path) -> None:
    write_release(data, V, [DAY], target, title="Some books", license_name="CC-BY-4.0")


def test_files_are_those_of_the_recording_with_their_checksums(data: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    made = write_release(data, V, [DAY], target, title="Some books", license_name="CC-BY-4.0")
    recorded = {path.relative_to(data) for path in data.rglob("*.parquet")}
    assert {path.relative_to(target) for path in target.rglob("*.parquet")} == recorded
    lines = [line.split("  ") for line in (target / "SHA256SUMS").read_text().splitlines()]
    sums = {name: digest for digest, name in lines}
    present = {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()} - {"SHA256SUMS"}
    assert set(sums) == present
    assert all(hashlib.sha256((target / name).read_bytes()).hexdigest() == digest for name, digest in sums.items())
    assert (made.files, made.rows["trades"], made.covered, made.gaps) == (len(recorded), 1, 3600.0, 0.0)


def test_what_was_observed_is_told_by_day_and_reason(data: Path, tmp_path: Path) -> None:
    release(data, tmp_path / "out")
    with (tmp_path / "out" / "coverage.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["date"], row["state"], row["reason"], row["seconds"]) == (DAY, "covered", "live", "3600.0")
    card = (tmp_path / "out" / "README.md").read_text()
    assert "1.0 instrument-hours observed of 1.0 wanted (100.00%)" in card
    assert "Licence: CC-BY-4.0" in card
    described = json.loads((tmp_path / "out" / "croissant.json").read_text())
    assert described["name"] == "Some books"


def test_nothing_is_overwritten_and_nothing_left_behind(data: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(ConfigError, match="out is there already"):
        release(data, tmp_path / "out")
    with pytest.raises(ConfigError, match="nothing with coverage"):
        write_release(data, V, ["2027-01-16"], tmp_path / "new", title="", license_name="")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "out"]
