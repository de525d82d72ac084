"""Markets are found by words of the title, ids, links and outcomes, and ranked by how they match."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.errors import ConfigError, IntegrityError
from predsurv.core.ids import InstrumentId, MarketId, VenueName
from predsurv.core.market import Market, Outcome
from predsurv.core.num import Money
from predsurv.scan.search import MarketSearch, SearchLine, find_one, level_of, plain, search
from tests.kit.market_samples import market
from tests.kit.recordings import write_universe

V = VenueName("mock")
DAY, NEXT = "2027-01-15", "2027-01-16"


def named(number: int, question: str, volume: int | None = None, **fields: object) -> Market:
    told = replace(market(number), question=question, volume_24h=None if volume is None else Money(volume))
    return replace(told, **fields)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    lines = [
        named(1, "Will Ether close above $4k?", 5_000_000),
        named(2, "Will the Ethereum Foundation move?", 9_000_000),
        named(3, "Will Together win?", 99_000_000),
        named(4, "Who hosts the summit?", 1_000_000, outcomes=(Outcome(InstrumentId("m4-a"), "Étherville"),)),
        named(5, "Will Ether fall?", 7_000_000, tradable=False),
        named(6, "Will Ether rise?", 8_000_000, url="https://x.example/event/ether-rise"),
        named(7, "Will Ether have closed?", 1_000_000, status="resolved"),
    ]
    write_universe(tmp_path, V, NEXT, lines)
    write_universe(tmp_path, V, DAY, [named(8, "Will Ether of old close?"), named(1, "Ether, before it was renamed")])
    return tmp_path


def ids(data: Path, text: str, **how: object) -> list[str]:
    return [each.market_id for each in search(data, MarketSearch(text=text, **how)).markets]  # type: ignore[arg-type]


def test_whole_words_come_before_beginnings_and_parts_and_the_rest(data: Path) -> None:
    assert ids(data, "ether") == ["m6", "m1", "m5", "m2", "m3", "m4"]


def test_every_word_has_to_be_there_in_any_order_and_case(data: Path) -> None:
    assert ids(data, "CLOSE ether") == ["m1"]
    assert ids(data, "ether nowhere") == []


def test_an_id_an_instrument_or_the_end_of_a_link_names_one_market(data: Path) -> None:
    for text in ("m6", "M6-YES", "ether-rise"):
        found = search(data, MarketSearch(text=text))
        assert (found.markets[0].market_id, found.exact) == ("m6", 1)
        assert find_one(data, text).market_id == "m6"


def test_without_text_the_most_traded_come_first_and_top_bounds_them(data: Path) -> None:
    assert ids(data, "", top=2) == ["m3", "m2"]
    assert search(data, MarketSearch(top=2)).found == 6


def test_markets_that_are_over_are_counted_and_shown_when_asked_for_from_older_lists_too(data: Path) -> None:
    usual = search(data, MarketSearch(text="close"))
    assert ([each.market_id for each in usual.markets], usual.over) == (["m1"], 1)
    everything = search(data, MarketSearch(text="close", closed=True))
    assert [each.market_id for each in everything.markets] == ["m1", "m8", "m7"], "m1 as the newest list has it"
    assert everything.over == 0


def test_venue_and_category_narrow_it(data: Path) -> None:
    assert ids(data, "ether", category="SPORTS")
    assert ids(data, "ether", category="crypto") == []
    with pytest.raises(ConfigError, match="no list of markets of kalshi"):
        search(data, MarketSearch(text="ether", venues=["kalshi"]))
    write_universe(data, VenueName("kalshi"), NEXT, [replace(market(9), venue=VenueName("kalshi"))])
    assert ids(data, "", venues=["kalshi"]) == ["m9"]


def test_several_or_none_are_told_with_their_ids(data: Path) -> None:
    with pytest.raises(ConfigError, match=r"8 markets have 'ether'; say more .* m6 \(Will Ether rise\?\).*; 3 more"):
        find_one(data, "ether")
    with pytest.raises(ConfigError, match="no market is called 'zzz'"):
        find_one(data, "zzz")
    assert find_one(data, "summit").market_id == "m4"


def test_a_damaged_line_is_named(data: Path) -> None:
    path = data / f"metadata/venue=mock/date={NEXT}/universe.jsonl"
    path.write_bytes(path.read_bytes() + b"{\n")
    with pytest.raises(IntegrityError, match="line 8"):
        search(data, MarketSearch(text="ether"))


@given(st.text(max_size=30))
def test_a_title_is_found_by_itself_and_by_its_first_word(title: str) -> None:
    data = {"venue": V, "question": title, "market_id": MarketId("id")}
    line = _line(**data)
    assert level_of(line, title) is not None
    words = plain(title).split()
    assert level_of(line, words[0] if words else "") is not None


def _line(**fields: str) -> SearchLine:
    usual = {"event_id": "e", "outcomes": (), "status": "active", "tradable": True, "fetched_at": ""}
    return SearchLine(**(usual | fields))  # type: ignore[arg-type]
