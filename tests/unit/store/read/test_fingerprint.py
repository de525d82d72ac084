"""The fingerprint of what a run read: the same for the same files wherever they are, another for any other."""

import shutil
from pathlib import Path

from predsurv.store.layout import Layout, data_files, date_of
from predsurv.store.read.fingerprint import FilesRead, fingerprint
from tests.kit.backtests import MIDNIGHT, books, covered, hours, listed_on
from tests.kit.recordings import record
from tests.kit.trading_samples import YES, V, market


def found(data_dir: Path) -> FilesRead:
    return fingerprint(data_dir, V, [date_of(MIDNIGHT)], ("deltas", "trades", "coverage", "lifecycle"))


def test_equal_recordings_have_equal_fingerprints(tmp_path: Path) -> None:
    data = tmp_path / "one"
    listed_on(data, 0, market(fetched_at=hours(0)))
    record(data, MIDNIGHT, [*books(YES, hours(1), count=3), covered(YES, hours(1), hours(2))])
    first = found(data)
    assert (first.files, first.unlisted) == (3, 1)
    shutil.copytree(data, tmp_path / "two")
    assert found(tmp_path / "two") == first
    data_files(Layout(data), "coverage")[0].unlink()
    assert found(data).digest != first.digest
    listed_on(tmp_path / "two", 0, market(fetched_at=hours(0), question="Will it be another?"))
    assert found(tmp_path / "two").digest != first.digest


def test_nothing_read_has_a_fingerprint_too(tmp_path: Path) -> None:
    assert (found(tmp_path).files, found(tmp_path).unlisted) == (0, 0)
