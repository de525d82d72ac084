"""How full the columns of the last hour are; a damaged file is left out."""

from pathlib import Path

from predsurv.core.events import Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, TradeId, VenueName
from predsurv.core.num import Price, Size
from predsurv.store.layout import Layout, data_files
from predsurv.store.read.filled_columns import filled_columns
from tests.kit.recordings import record

KEY = InstrumentKey(VenueName("mock"), MarketId("m"), InstrumentId("i"))
START = 1_800_000_000_000_000_000


def trade(number: int, ts_venue: int | None) -> Trade:
    return Trade(KEY, START + number, ts_venue, Price(500_000), Size(1_000_000), "buy", TradeId(f"t{number}"))


def test_empty_cells_are_counted_over_all_files_of_a_day(tmp_path: Path) -> None:
    record(tmp_path, START, [trade(0, START), trade(1, None)], [trade(2, None)])
    found = filled_columns(tmp_path, VenueName("mock"), "2027-01-15", "trades", ("ts_venue", "trade_id"))
    assert [(each.column, each.rows, each.empty) for each in found] == [("ts_venue", 3, 2), ("trade_id", 3, 0)]
    data_files(Layout(tmp_path), "trades")[0].write_bytes(b"PAR1")
    assert filled_columns(tmp_path, VenueName("mock"), "2027-01-15", "trades", ("ts_venue",))[0].rows == 1
    assert filled_columns(tmp_path, VenueName("mock"), "2027-01-16", "trades", ("ts_venue",))[0].rows == 0
