"""The last phase of each venue is found among its latest recorded days, whatever else the files hold."""

from pathlib import Path

import pyarrow.parquet as pq

from predsurv.core.events import MarketChange, TradingPhase, VenuePhase
from predsurv.core.ids import MarketId, VenueName
from predsurv.core.records import Record
from predsurv.store.layout import NS_DAY, Layout, data_files
from predsurv.store.read.venue_phases import PHASE_DAYS_MAX, last_phases
from tests.kit.older_files import make_foreign
from tests.kit.recordings import record

KALSHI, MOCK = VenueName("kalshi"), VenueName("mock")
DAY = 1_800_014_400_000_000_000 // NS_DAY * NS_DAY


def phase(ts: int, name: TradingPhase, venue: VenueName = MOCK, resumes: int | None = None) -> VenuePhase:
    return VenuePhase(venue, ts, None, name, '{"said": 1}', resumes)


def closed(ts: int) -> MarketChange:
    return MarketChange(MOCK, MarketId("m"), None, ts, None, "closed", "{}")


def found(data_dir: Path) -> list[VenuePhase]:
    return list(last_phases(Layout(data_dir)))


def test_each_venue_has_the_latest_of_its_phases(tmp_path: Path) -> None:
    assert found(tmp_path) == []
    last, other = phase(DAY + NS_DAY + 5, "cancel_only", resumes=DAY + 2 * NS_DAY), phase(DAY + 7, "closed", KALSHI)
    said: list[Record] = [phase(DAY + 9, "open"), closed(DAY + 10), last, phase(DAY + NS_DAY + 4, "open"), other]
    record(tmp_path, DAY, said)
    record(tmp_path, DAY + 2 * NS_DAY, [closed(DAY + 2 * NS_DAY + 1)])
    assert found(tmp_path) == [other, last]
    make_foreign(Layout(tmp_path))
    assert found(tmp_path) == [other, last]


def test_rows_with_a_null_for_the_market_are_the_venues_too(tmp_path: Path) -> None:
    record(tmp_path, DAY, [phase(DAY + 9, "open")])
    make_foreign(Layout(tmp_path))
    (path,) = data_files(Layout(tmp_path), "lifecycle")
    table = pq.read_table(path, partitioning=None)
    at = table.schema.get_field_index("market_id")
    pq.write_table(table.set_column(at, "market_id", [[None]]), path)
    assert found(tmp_path) == [phase(DAY + 9, "open")]


def test_damaged_files_and_days_long_ago_tell_nothing(tmp_path: Path) -> None:
    record(tmp_path, DAY, [phase(DAY + 9, "open")])
    later = [DAY + number * NS_DAY for number in range(1, PHASE_DAYS_MAX + 1)]
    record(tmp_path, DAY + NS_DAY, [closed(day) for day in later[:-1]])
    assert found(tmp_path) == [phase(DAY + 9, "open")]
    record(tmp_path, later[-1], [phase(later[-1], "closed")])
    assert found(tmp_path) == [phase(later[-1], "closed")]
    data_files(Layout(tmp_path), "lifecycle")[-1].write_bytes(b"PAR1")
    assert found(tmp_path) == []
