"""What was recorded, as frames, books and events: the same as what went in."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from predsurv.api.data import Data, open_data
from predsurv.core.errors import ConfigError
from predsurv.core.events import BookDelta, BookSnapshot, Gap, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, TradeId
from predsurv.core.num import MICROS
from predsurv.core.records import Coverage, Record
from tests.kit.backtests import MIDNIGHT, covered, hours, listed_on
from tests.kit.recordings import record
from tests.kit.trading_samples import NO, YES, S, V, book, cents, delta, levels, market, shares, trade

DAY = "2027-01-15"
OTHER = market("z")
ONE = hours(1)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Data:
    monkeypatch.chdir(tmp_path)
    first = market(category="Sports", fetched_at=MIDNIGHT)
    listed_on(tmp_path / "data", 0, first, replace(OTHER, fetched_at=hours(3)))
    gone = OTHER.key(0)
    rows: list[Record] = [
        BookSnapshot(YES, ONE, None, 1, None, levels((40, 100), (39, 5)), levels((60, 50))),
        delta("ask", 55, 7, ONE + 10 * S),
        replace(trade(55, 2, "buy", ONE + 11 * S), trade_id=TradeId("t1")),
        delta("bid", 56, 7, ONE + 20 * S),
        delta("bid", 56, 0, ONE + 30 * S),
        covered(YES, ONE, ONE + 60 * S),
        BookSnapshot(gone, ONE, None, 1, None, levels((10, 1)), levels((20, 1))),
        covered(gone, ONE, ONE + 5 * S),
        Coverage(gone, ONE + 5 * S, ONE + 60 * S, "gap", "disconnect", 1),
    ]
    record(tmp_path / "data", hours(2), rows)
    return open_data("data")


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        open_data(tmp_path / "nothing")


def test_a_bucket_is_opened_without_asking_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert open_data("s3://some-bucket/prefix").config.bucket == "s3://some-bucket/prefix"


def test_markets_are_those_known_then(data: Data) -> None:
    early = data.markets(V, at=hours(2))
    assert early["market_id"].to_list() == ["m"]
    (row,) = early.to_dicts()
    assert (row["question"], row["category"]) == ("Will m?", "Sports")
    assert (row["tick_size"], row["min_order_size"]) == (0.01, 5.0)
    assert row["outcomes"] == [{"instrument_id": "m-yes", "label": "Yes"}, {"instrument_id": "m-no", "label": "No"}]
    assert (row["fee_model"], row["fee_rate"], row["volume_24h"]) == ("polymarket", 0.04, None)
    assert data.markets(V, at=hours(4))["market_id"].to_list() == ["m", "z"]
    assert data.markets(V).height in (0, 2), "as of now, which this test does not know"


def test_a_book_is_exact_at_any_time(data: Data) -> None:
    found = data.book(V, "m-yes", ONE + 15 * S)
    assert (found.bids, found.asks) == (levels((40, 100), (39, 5)), levels((55, 7), (60, 50)))
    assert (found.ts, found.trusted, found.reason, found.key) == (ONE + 10 * S, True, None, YES)
    assert data.book(V, YES, ONE + 9 * S).asks == levels((60, 50))


def test_the_second_outcome_is_the_mirror(data: Data) -> None:
    found = data.book(V, "m-no", ONE + 15 * S)
    assert (found.key, found.bids[0], found.asks[0]) == (NO, (cents(45), shares(7)), (cents(60), shares(100)))


def test_a_crossed_or_missing_book_is_not_trusted(data: Data) -> None:
    crossed = data.book(V, "m-yes", ONE + 25 * S)
    assert (crossed.trusted, crossed.reason) == (False, None)
    missing = data.book(V, "z-yes", ONE + 30 * S)
    assert (missing.trusted, missing.reason) == (False, "disconnect")
    before = data.book(V, "m-yes", ONE - 1)
    assert (before.ts, before.bids, before.trusted) == (0, (), False)


def test_what_was_not_recorded_is_told(data: Data) -> None:
    with pytest.raises(ConfigError, match="nobody was not recorded in that time"):
        data.book(V, "nobody", ONE)
    with pytest.raises(ConfigError, match="did you mean mock"):
        data.markets("mok")


def test_an_instrument_that_nobody_listed_has_its_book(data: Data, tmp_path: Path) -> None:
    key = InstrumentKey(V, MarketId("u"), InstrumentId("u-yes"))
    record(tmp_path / "data", hours(6), [book(key=key, ts=hours(5)), covered(key, hours(5), hours(5) + S)])
    assert data.book(V, "u-yes", hours(5) + 1).bids == levels((49, 100))


def test_events_are_those_of_the_instruments(data: Data) -> None:
    everything = list(data.events(V, DAY, DAY))
    assert {type(each) for each in everything} == {BookSnapshot, BookDelta, Trade, Gap}
    mine = list(data.events(V, DAY, DAY, ["m-yes"]))
    assert {each.key for each in mine if hasattr(each, "key")} == {YES}
    assert list(data.events(V, ONE + 10 * S, ONE + 11 * S, [YES])) == [delta("ask", 55, 7, ONE + 10 * S)]
    with pytest.raises(ConfigError, match="not recorded"):
        data.events(V, DAY, DAY, ["nobody"])


def test_frames_have_dollars_shares_and_names(data: Data) -> None:
    (row,) = data.trades(V, DAY, DAY, names=True).collect().to_dicts()
    assert (row["price"], row["size"], row["taker_side"]) == (0.55, 2.0, "buy")
    assert (row["question"], row["outcome"]) == ("Will m?", "Yes")
    changes = data.deltas(V, DAY, DAY, ["m-yes"]).collect()
    assert set(changes["instrument_id"].to_list()) == {"m-yes"}
    assert changes.filter(changes["kind"] == "change").height == 3
    assert data.deltas(V, DAY, DAY, [YES]).collect().equals(changes)
    assert data.snapshots(V, DAY, DAY).collect().height == 0


def test_a_span_cuts_rows_and_keeps_pieces_that_overlap(data: Data) -> None:
    cut = data.deltas(V, ONE + 10 * S, ONE + 30 * S, ["m-yes"]).collect()
    assert cut.height == 2
    pieces = data.coverage(V, ONE + 30 * S, ONE + 31 * S, names=True).collect().sort("instrument_id")
    assert pieces["instrument_id"].to_list() == ["m-yes", "z-yes"]
    assert pieces["state"].to_list() == ["covered", "gap"]
    assert data.coverage(V, ONE + 60 * S, ONE + 61 * S).collect().is_empty()


def test_frames_of_days_that_were_not_recorded_are_empty(data: Data) -> None:
    for rows in (data.snapshots, data.deltas, data.trades, data.coverage):
        found = rows(V, "2020-01-01", "2020-01-02", names=True).collect()
        assert found.is_empty()
        assert "outcome" in found.columns


def test_statistics_are_those_that_were_mined(data: Data) -> None:
    from predsurv.cli.app import main

    with pytest.raises(ConfigError, match="no statistics of mock on 2027-01-15; run 'predsurv mine'"):
        data.stats(V, DAY)
    assert main(["mine", V, DAY, "--format", "json"]) == 0
    found = data.stats(V, DAY)
    assert set(found["instrument_id"].to_list()) == {"m-yes", "z-yes"}


def test_prices_are_the_recorded_ones(data: Data) -> None:
    prices = data.trades(V, DAY, DAY).collect()["price"]
    assert [round(price * MICROS) for price in prices] == [cents(55)]


def test_names_and_outcomes_are_known_of_later_listings_too(data: Data) -> None:
    assert data.book(V, "z-no", ONE + S).asks == levels((90, 1))
    names = data.coverage(V, ONE, ONE + S, ["z-yes"], names=True).collect()
    assert names["question"].to_list() == ["Will z?"]
