"""Files are chosen by the hours that a span touches."""

from pathlib import Path

from predsurv.api.frames import recorded_rows
from predsurv.store.read.recording import ReplaySpan
from tests.kit.backtests import books, covered, hours
from tests.kit.recordings import record
from tests.kit.trading_samples import YES, S, V


def test_only_the_files_of_the_hours_are_read(tmp_path: Path) -> None:
    for hour in (1, 3):
        record(tmp_path, hours(4), [*books(YES, hours(hour)), covered(YES, hours(hour), hours(hour) + S)])
    whole = recorded_rows(tmp_path, "deltas", V, ReplaySpan(hours(0), hours(24)))
    rows = whole.collect().height
    first = recorded_rows(tmp_path, "deltas", V, ReplaySpan(hours(1), hours(2)))
    assert 0 < first.collect().height < rows
    assert first.explain().count("parquet") < whole.explain().count("parquet") or "hour=03" not in first.explain()
    assert recorded_rows(tmp_path, "deltas", V, ReplaySpan(hours(2), hours(3))).collect().is_empty()
