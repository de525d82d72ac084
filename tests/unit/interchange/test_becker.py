"""The dataset of trades is told apart by columns, cut into days, and its numbers are exact or left out."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.errors import ConfigError, IntegrityError
from predsurv.core.events import Trade
from predsurv.core.ids import VenueName
from predsurv.interchange import becker, becker_tables
from predsurv.interchange.becker import BeckerFiles
from predsurv.store.layout import NS_DAY
from tests.kit.foreign_files import (
    HOUR,
    MARKET,
    becker_time,
    block_at,
    filled_order,
    kalshi_listed,
    kalshi_print,
    token_listed,
    write_becker,
)

NS = 1_000_000
KALSHI, POLYMARKET = VenueName("kalshi"), VenueName("polymarket")
DAY_MS = 86_400_000
NOON = HOUR * NS


def kalshi(folder: Path, *prints: dict[str, object], markets: bool = True) -> BeckerFiles:
    tables = {"trades/t": list(prints)}
    if markets:
        tables["markets/m"] = [kalshi_listed("A", "Will A?")]
    return BeckerFiles(KALSHI, write_becker(folder, tables).rglob("*.parquet"))


def polymarket(folder: Path, *fills: dict[str, object], blocks: int = 3) -> BeckerFiles:
    tables = {
        "trades/t": list(fills),
        "blocks/b": [block_at(number, number) for number in range(1, blocks + 1)],
        "markets/m": [token_listed(["111", "222"])],
    }
    return BeckerFiles(POLYMARKET, write_becker(folder, tables).rglob("*.parquet"))


def trades(source: BeckerFiles) -> list[Trade]:
    events = [event for part in source.parts() for market in source.markets(part) for event in market.events]
    assert all(isinstance(event, Trade) for event in events)
    return [event for event in events if isinstance(event, Trade)]


def test_days_are_read_together_as_long_as_they_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(becker, "ROWS_PER_PART", 3)
    days = [0, 0, 1, 1, 1, 1, 5, 6]
    source = kalshi(tmp_path, *(kalshi_print(day * DAY_MS + n, "A", 40) for n, day in enumerate(days)))
    assert [part.name for part in source.parts()] == ["2026-04-17", "2026-04-18", "2026-04-22..2026-04-23"]
    assert [len(source.times(part)) for part in source.parts()] == [2, 4, 2]
    assert len(trades(source)) == 8
    within = BeckerFiles(KALSHI, source.files, since=NOON + NS_DAY, until=NOON + 5 * NS_DAY)
    assert [part.name for part in within.parts()] == ["2026-04-18"]
    assert [part.name for part in BeckerFiles(KALSHI, source.files, ["B"]).parts()] == [p.name for p in source.parts()]
    assert trades(BeckerFiles(KALSHI, source.files, ["B"])) == []
    with pytest.raises(ConfigError, match="no trade of kalshi in that time"):
        BeckerFiles(KALSHI, source.files, since=NOON + 9 * NS_DAY).parts()


def test_a_print_of_kalshi_is_a_trade_of_yes(tmp_path: Path) -> None:
    source = kalshi(
        tmp_path,
        kalshi_print(1, "A", 40, 3),
        kalshi_print(2, "A", 41, 1, "no"),
        kalshi_print(3, "A", 41, 1, ""),
        kalshi_print(3, "B", 99, 1),
    )
    told = [(each.key.instrument_id, each.price, each.size, each.taker_side, each.ts_recv) for each in trades(source)]
    assert told == [
        ("A", 400_000, 3_000_000, "buy", NOON + NS),
        ("A", 410_000, 1_000_000, "sell", NOON + 2 * NS),
        ("A", 410_000, 1_000_000, None, NOON + 3 * NS),
        ("B", 990_000, 1_000_000, "buy", NOON + 3 * NS),
    ]
    named = {each.market_id: each for part in source.parts() for each in source.markets(part)}
    assert (named["A"].question, named["A"].instruments, named["A"].labels) == ("Will A?", ("A", "A:no"), ("Yes", "No"))  # type: ignore[index]
    assert named["B"].question == ""  # type: ignore[index]


def test_without_lists_markets_have_no_names_and_times_may_be_text(tmp_path: Path) -> None:
    text = kalshi_print(1, "A", 40, created_time=becker_time(1).isoformat())
    (trade,) = trades(kalshi(tmp_path, text, markets=False))
    assert trade.ts_recv == NOON + NS


def test_prices_that_were_rounded_are_left_out_and_counted(tmp_path: Path) -> None:
    source = kalshi(tmp_path, kalshi_print(1, "A", 28, no_price=71), kalshi_print(2, "A", 28))
    assert len(trades(source)) == 1
    assert source.left_out[becker_tables.INEXACT] == 1


def test_a_fill_of_polymarket_is_a_trade_at_its_makers_price(tmp_path: Path) -> None:
    source = polymarket(
        tmp_path,
        filled_order(1, 1, ("0", 4_000_000), ("111", 10_000_000)),
        filled_order(1, 2, ("222", 1_000_000), ("0", 333_333)),
        filled_order(1, 3, ("111", 7), ("0", 4), taker=becker_tables.EXCHANGES[0].upper().replace("0X", "0x")),
        filled_order(2, 1, ("111", 0), ("0", 0)),
        filled_order(3, 1, ("0", 5), ("9", 10)),
        filled_order(4, 1, ("0", 5), ("111", 10)),
    )
    first, second = trades(source)
    assert (first.key.instrument_id, first.price, first.size, first.taker_side) == ("111", 400_000, 10_000_000, "sell")
    assert (second.key.instrument_id, second.price, second.size, second.taker_side) == ("222", 333_333, 10**6, "buy")
    assert first.trade_id == "0x1:1"
    assert dict(source.left_out) == {
        becker_tables.AGAIN: 0,
        becker_tables.NO_BLOCK_TIME: 0,
        becker_tables.WHOLE_ORDER: 1,
        becker_tables.UNLISTED: 1,
        becker_tables.NOTHING: 1,
    }
    (market,) = source.markets(source.parts()[0])
    assert (market.market_id, market.instruments, market.labels) == (MARKET, ("111", "222"), ("Yes", "No"))


def test_a_block_without_a_time_between_others_is_counted(tmp_path: Path) -> None:
    folder = write_becker(
        tmp_path,
        {
            "t": [filled_order(number, 1, ("0", 5), ("111", 10)) for number in (1, 2, 3)],
            "b": [{"block_number": number, "timestamp": HOUR // 1_000 + number} for number in (1, 3)],
            "m": [token_listed(["111", "222"]) | {"outcomes": "not json"}],
        },
    )
    source = BeckerFiles(POLYMARKET, folder.rglob("*.parquet"))
    assert [each.ts_recv for each in trades(source)] == [NOON + 10**9, NOON + 3 * 10**9]
    assert source.left_out[becker_tables.NO_BLOCK_TIME] == 1
    (market,) = source.markets(source.parts()[0])
    assert market.labels == ("", "")


def test_times_of_blocks_may_be_of_a_type_of_their_own(tmp_path: Path) -> None:
    folder = write_becker(
        tmp_path,
        {
            "t": [filled_order(1, 1, ("0", 5), ("111", 10))],
            "b": [{"block_number": 1, "timestamp": becker_time(5)}],
            "m": [token_listed(["111", "222"])],
        },
    )
    (trade,) = trades(BeckerFiles(POLYMARKET, folder.rglob("*.parquet")))
    assert trade.ts_recv == NOON + 5 * NS


@given(st.integers(1, 9_999), st.integers(10**5, 10**13))
def test_a_price_of_the_grid_is_found_whatever_the_rounding_of_the_dollars(price: int, size: int) -> None:
    micros = price * 100
    for dollars in (micros * size // 10**6, -(-micros * size // 10**6)):
        told = pl.DataFrame({"size": [size], "dollars": [dollars]}).select(becker_tables.price_told()).item()
        assert told == micros


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    folder = write_becker(tmp_path, {"t": [filled_order(1, 1, ("0", 5), ("111", 10))]})
    with pytest.raises(ConfigError, match="no file of trades of kalshi in the layout of becker"):
        BeckerFiles(KALSHI, folder.rglob("*.parquet"))
    with pytest.raises(IntegrityError, match=r"no file of blocks of polymarket beside .*t\.parquet"):
        BeckerFiles(POLYMARKET, folder.rglob("*.parquet"))
    (folder / "._t.parquet").write_bytes(b"of another system")
    with pytest.raises(ConfigError):
        BeckerFiles(KALSHI, folder.rglob("*.parquet"))
    (folder / "torn.parquet").write_bytes(b"PAR1")
    with pytest.raises(IntegrityError, match=r"torn\.parquet: cannot be read"):
        BeckerFiles(KALSHI, folder.rglob("*.parquet"))
