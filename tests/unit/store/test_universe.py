"""Tests of predsurv.store.universe."""

import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.errors import IntegrityError
from predsurv.core.ids import EventId, InstrumentId, MarketId, VenueName
from predsurv.core.market import FeeSchedule, Market, Outcome, PriceBand
from predsurv.core.num import Money, Price, Size
from predsurv.store.universe import (
    LINE_BYTES_MAX,
    MarketLine,
    date_in_force,
    find_markets,
    iso_second,
    iso_time,
    latest_universe,
    parse_iso,
    read_universe,
    to_line,
    to_market,
    universe_files,
)
from predsurv.store.universe_writer import UniverseWriter

MOCK = VenueName("mock")
NOON = 1_800_014_400_000_000_000
MINIMAL = Market(
    venue=MOCK,
    market_id=MarketId("m"),
    event_id=EventId("e"),
    question="?",
    outcomes=(Outcome(InstrumentId("y"), "Yes"), Outcome(InstrumentId("n"), "No")),
    status="active",
    tick_size=Price(10_000),
    min_order_size=Size(5_000_000),
    fetched_at=NOON,
)
FULL = msgspec.structs.replace(
    MINIMAL,
    series_id="s",
    description="line\nbreak \u2028",
    category="c",
    tags=("a", "b"),
    neg_risk=True,
    mutually_exclusive=True,
    exhaustive=True,
    fee=FeeSchedule("kalshi", 70_000, 2, 17_500, NOON + 1),
    bands=(PriceBand(Price(0), Price(100_000), Price(1_000)),),
    min_taker_buy=Money(1_500_000),
    taker_delay=3_000_000_000,
    volume=Money(12_345_678_900_001),
    volume_24h=Money(0),
    liquidity=Money(1),
    open_interest=Money(2),
    close_time=NOON + 123_456_789,
    url="https://example.invalid/",
    rules_hash="abc",
    reward_min_size=Size(50_000_000),
    reward_max_spread=Price(45_000),
    tradable=True,
    event_title="What happens?",
    shard=2,
)


def write(data_dir: Path, *markets: Market) -> Path:
    with UniverseWriter(data_dir, MOCK, NOON) as writer:
        for market in markets:
            writer.write(market)
        return writer.commit()


def test_markets_come_back_as_they_were(tmp_path: Path) -> None:
    other = msgspec.structs.replace(MINIMAL, market_id=MarketId("other"))
    assert list(read_universe(write(tmp_path, other, FULL))) == [other, FULL]


def test_the_form_of_a_line() -> None:
    assert msgspec.json.decode(msgspec.json.encode(to_line(MINIMAL))) == {
        "venue": "mock",
        "market_id": "m",
        "event_id": "e",
        "question": "?",
        "outcomes": [{"instrument_id": "y", "label": "Yes"}, {"instrument_id": "n", "label": "No"}],
        "tags": [],
        "status": "active",
        "tick_size": "0.01",
        "min_order_size": "5",
        "neg_risk": False,
        "mutually_exclusive": False,
        "fee": {"model": "none", "rate": "0"},
        "volume": None,
        "volume_24h": None,
        "liquidity": None,
        "open_interest": None,
        "close_time": None,
        "url": None,
        "rules_hash": None,
        "tradable": False,
        "fetched_at": "2027-01-15T12:00:00Z",
    }


def test_optional_parts_of_a_line() -> None:
    line = msgspec.json.decode(msgspec.json.encode(to_line(FULL)))
    assert line["fee"] == {
        "model": "kalshi",
        "rate": "0.07",
        "exponent": 2,
        "maker_rate": "0.0175",
        "since": "2027-01-15T12:00:00.000000001Z",
    }
    assert line["bands"] == [{"start": "0", "end": "0.1", "step": "0.001"}]
    assert line["exhaustive"] is True
    assert line["min_taker_buy"] == "1.5"
    assert line["taker_delay_ms"] == 3_000
    assert line["volume"] == "12345678.900001"
    assert line["close_time"] == "2027-01-15T12:00:00.123456789Z"
    assert to_market(to_line(FULL)) == FULL


@given(st.integers(-62_135_596_800 * 10**9, 253_402_300_799 * 10**9))
def test_times_come_back_to_the_nanosecond(ts: int) -> None:
    assert parse_iso(iso_time(ts)) == ts
    assert iso_second(ts) == iso_time(ts)[:19] + "Z"


@pytest.mark.parametrize(
    "text", ["", "2027-01-15", "2027-01-15T12:00:00", "2027-01-15T12:00:00+00:00", "2027-01-15T12:00:00.Z"]
)
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a UTC time"):
        parse_iso(text)


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"\xff",
        b"",
        b"[]",
        msgspec.json.encode(msgspec.structs.replace(to_line(MINIMAL), volume="1e9")),
        b" " * (LINE_BYTES_MAX + 1),
    ],
    ids=["cut", "binary", "empty", "array", "number", "long"],
)
def test_a_bad_line_is_named(tmp_path: Path, line: bytes) -> None:
    path = write(tmp_path, MINIMAL)
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(IntegrityError, match=r"line 2: .*predsurv scan"):
        list(read_universe(path))


def test_the_newest_universe_is_found(tmp_path: Path) -> None:
    assert latest_universe(tmp_path, MOCK) is None
    for day in range(3):
        with UniverseWriter(tmp_path, MOCK, NOON + day * 86_400 * 10**9) as writer:
            writer.commit()
    newest = latest_universe(tmp_path, MOCK)
    assert newest is not None
    assert newest.parent.name == "date=2027-01-17"
    assert latest_universe(tmp_path, VenueName("other")) is None


def test_the_files_of_a_venue_by_date(tmp_path: Path) -> None:
    assert universe_files(tmp_path, MOCK) == {}
    path = write(tmp_path, MINIMAL)
    for name in ("date=2027-01-02", "date=2027-01-02 (copy)"):
        other = path.parent.parent / name / path.name
        other.parent.mkdir()
        other.write_bytes(b"")
    assert list(universe_files(tmp_path, MOCK)) == ["2027-01-02", "2027-01-15"]
    assert universe_files(tmp_path, MOCK)["2027-01-15"] == path


@pytest.mark.parametrize(
    ("day", "date"),
    [("2027-01-01", "2027-01-02"), ("2027-01-02", "2027-01-02"), ("2027-01-03", "2027-01-02"), ("2028", "2027-01-04")],
)
def test_the_universe_in_force_is_the_latest_up_to_the_day_or_the_earliest(day: str, date: str) -> None:
    assert date_in_force({"2027-01-02", "2027-01-04"}, day) == date
    assert date_in_force((), day) is None


def test_single_markets_are_found_in_the_first_file_that_has_them(tmp_path: Path) -> None:
    newer, older = (tmp_path / name for name in ("newer", "older"))
    other, both = (msgspec.structs.replace(FULL, market_id=MarketId(name)) for name in ("other", "both"))
    late = msgspec.structs.replace(both, tick_size=Price(1))
    paths = [write(newer, MINIMAL, late), write(older, both, other)]
    paths[0].write_bytes(b"{\n" + paths[0].read_bytes() + b'{"market_id":"other"}\n')
    wanted = {MarketId("both"), MarketId("other"), MarketId("nowhere")}
    assert find_markets(paths, wanted) == {"both": late, "other": other}
    assert find_markets([paths[0], tmp_path / "is not opened"], {MarketId("both")}) == {"both": late}
    assert find_markets([tmp_path / "is gone", *paths], set(wanted)) == find_markets(paths, wanted)
    assert find_markets(paths, set()) == {}


def test_every_field_of_a_line_is_documented() -> None:
    text = (Path(__file__).parents[3] / "docs" / "universe.md").read_text()
    rows = (row.split("|")[1] for row in text.splitlines() if row.startswith("| `"))
    documented = {name for row in rows for name in re.findall("`([a-z0-9_]+)`", row)}
    assert documented == set(MarketLine.__struct_fields__)
