"""Tests of predsurv.store.read.facts."""

import re
import tracemalloc
from pathlib import Path

import pytest
from msgspec.structs import replace

from predsurv.core.errors import IntegrityError
from predsurv.core.events import MarketChange, MarketResolved, VenuePhase
from predsurv.core.ids import EventId, InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.market import FeeSchedule, Market
from predsurv.core.num import Price
from predsurv.state.market_facts import MarketFacts
from predsurv.store.layout import NS_DAY, Layout, data_files, date_of
from predsurv.store.listing_history import merge_lines
from predsurv.store.read.facts import (
    FactsQuery,
    count_unlisted,
    known_markets,
    listed_markets,
    read_facts,
    related_markets,
)
from predsurv.store.universe import to_line, universe_files
from tests.kit.market_samples import market
from tests.kit.recordings import record, write_universe

MOCK = VenueName("mock")
DAY = 1_800_014_400_000_000_000 // NS_DAY * NS_DAY
HOUR = 3_600_000_000_000
FEES = [FeeSchedule("polymarket", rate) for rate in (30_000, 50_000, 70_000)]


def listed(number: int, ts: int, **values: object) -> Market:
    return replace(market(number), fetched_at=ts, **values)


def tick(number: int, ts: int, size: int) -> MarketChange:
    return MarketChange(MOCK, MarketId(f"m{number}"), None, ts, None, "tick_size", "", tick_size=Price(size))


def created(number: int, ts: int, **values: object) -> MarketChange:
    return MarketChange(MOCK, MarketId(f"m{number}"), None, ts, None, "created", "", listed(number, ts, **values))


def universe(data_dir: Path, day: int, *markets: Market) -> None:
    write_universe(data_dir, MOCK, date_of(DAY + day * NS_DAY), markets)


def query(first: int = 0, days: int = 1, *numbers: int) -> FactsQuery:
    wanted = frozenset(MarketId(f"m{number}") for number in numbers) or None
    return FactsQuery(MOCK, DAY + first * NS_DAY, DAY + (first + days) * NS_DAY, wanted)


def known(data_dir: Path, number: int, ts: int, wanted: FactsQuery | None = None) -> Market | None:
    found = MarketFacts(read_facts(data_dir, wanted or query())).at(MarketId(f"m{number}"), ts)
    return None if found is None else found.market


def test_each_day_has_its_own_listing(tmp_path: Path) -> None:
    for day, fee in enumerate(FEES):
        universe(tmp_path, day, listed(1, DAY + day * NS_DAY + HOUR, fee=fee))
    facts = MarketFacts(read_facts(tmp_path, query(1, 2)))
    held = [facts.at(MarketId("m1"), DAY + NS_DAY + hour * HOUR) for hour in (0, 2, 24, 26)]
    assert [each.market.fee for each in held if each] == [FEES[0], FEES[1], FEES[1], FEES[2]]


def test_what_a_line_replaced_is_stated_at_its_time(tmp_path: Path) -> None:
    line = to_line(listed(1, DAY + HOUR))
    line = merge_lines(line, to_line(listed(1, DAY + 2 * HOUR, tick_size=Price(1_000))))
    line = merge_lines(line, to_line(listed(1, DAY + 3 * HOUR, tick_size=Price(1_000))))
    write_universe(tmp_path, MOCK, date_of(DAY), [line])
    told = [(each.ts_recv - DAY) // HOUR for each in read_facts(tmp_path, query())]
    assert told == [1, 2]
    ticks = [found.tick_size for hour in (1, 2, 9) if (found := known(tmp_path, 1, DAY + hour * HOUR))]
    assert ticks == [10_000, 1_000, 1_000]


def test_lists_that_repeat_themselves_on_later_days_state_nothing(tmp_path: Path) -> None:
    for day in range(5):
        changed = {"fee": FEES[0]} if day >= 3 else {}
        universe(tmp_path, day, listed(1, DAY + day * NS_DAY, volume=day, **changed), listed(2, DAY + day * NS_DAY))
    told = [((each.ts_recv - DAY) // NS_DAY, each.market_id) for each in read_facts(tmp_path, query(0, 5))]
    assert told == [(0, "m1"), (0, "m2"), (3, "m1")]


def test_what_was_recorded_since_the_newest_list_before_the_span_counts(tmp_path: Path) -> None:
    universe(tmp_path, 0, listed(1, DAY + HOUR))
    record(tmp_path, DAY + NS_DAY, [tick(1, DAY + 5 * HOUR, 1_000), tick(1, DAY + 3 * NS_DAY, 2_000)])
    wanted = query(3)
    ticks = [found.tick_size for ts in (-1, 0) if (found := known(tmp_path, 1, DAY + 3 * NS_DAY + ts, wanted))]
    assert ticks == [1_000, 2_000]


def test_statements_come_in_the_order_of_receipt(tmp_path: Path) -> None:
    universe(tmp_path, 0, listed(2, DAY + 4 * HOUR), listed(1, DAY + HOUR))
    record(tmp_path, DAY + NS_DAY, [tick(1, DAY + 2 * HOUR, 1_000), tick(2, DAY + 5 * HOUR, 1_000)])
    assert [(each.ts_recv - DAY) // HOUR for each in read_facts(tmp_path, query())] == [1, 2, 4, 5]


def test_a_market_that_lived_between_two_scans_is_known_from_the_recording(tmp_path: Path) -> None:
    universe(tmp_path, 0, listed(1, DAY))
    paid = MarketResolved(MOCK, MarketId("m7"), DAY + 3 * HOUR, None, ((InstrumentId("m7-yes"), Price(1_000_000)),))
    record(tmp_path, DAY + NS_DAY, [created(7, DAY + HOUR, tick_size=Price(1_000)), paid])
    for wanted in (query(), query(0, 1, 7)):
        found = known(tmp_path, 7, DAY + 2 * HOUR, wanted)
        assert found is not None
        assert (found.question, found.tick_size, found.status) == ("Question 7?", 1_000, "active")
        settled = known(tmp_path, 7, DAY + 4 * HOUR, wanted)
        assert settled is not None
        assert settled.status == "resolved"


def test_without_an_earlier_list_the_next_one_names_the_market_and_the_rest_is_assumed(tmp_path: Path) -> None:
    universe(tmp_path, 2, listed(1, DAY + 2 * NS_DAY, fee=FEES[1]))
    found = known(tmp_path, 1, DAY + HOUR)
    assert found is not None
    assert (found.question, "fee" in found.assumed, "tick_size" in found.assumed) == ("Question 1?", True, True)


def test_a_wanted_market_that_the_lists_of_the_span_lack_is_looked_for_beside_it(tmp_path: Path) -> None:
    universe(tmp_path, 0, listed(1, DAY), listed(2, DAY))
    universe(tmp_path, 8, listed(1, DAY + 8 * NS_DAY))
    universe(tmp_path, 9, listed(1, DAY + 9 * NS_DAY))
    universe(tmp_path, 10, listed(1, DAY + 10 * NS_DAY), listed(3, DAY + 10 * NS_DAY))
    found = known_markets(MarketFacts(read_facts(tmp_path, query(9, 1, 1, 2, 3, 4))))
    assert found == {"m1", "m2", "m3"}
    assert known_markets(MarketFacts(read_facts(tmp_path, query(9, 1)))) == {"m1"}


def test_what_held_before_the_span_is_not_taken_for_news_of_the_list_after_it(tmp_path: Path) -> None:
    universe(tmp_path, -6, listed(1, DAY - 6 * NS_DAY), listed(2, DAY - 6 * NS_DAY))
    universe(tmp_path, 0, listed(2, DAY))
    for day in (1, 2):
        universe(tmp_path, day, listed(1, DAY + day * NS_DAY), listed(2, DAY + day * NS_DAY))
    record(tmp_path, DAY - 4 * NS_DAY, [tick(1, DAY - 5 * NS_DAY + HOUR, 1_000)])
    universe(tmp_path, -1, listed(2, DAY - NS_DAY))
    found = known(tmp_path, 1, DAY + HOUR, query(0, 1, 1, 2))
    assert found is not None
    assert found.assumed == ()
    assert found.tick_size == 1_000


def test_a_recorded_change_is_not_forgotten_while_the_list_has_not_caught_up(tmp_path: Path) -> None:
    for day in range(4):
        universe(tmp_path, day, listed(1, DAY + day * NS_DAY))
    record(tmp_path, DAY + NS_DAY, [tick(1, DAY + 5 * HOUR, 1_000)])
    ticks = [
        found.tick_size
        for day in (0, 1, 2, 3)
        if (found := known(tmp_path, 1, DAY + (day + 1) * NS_DAY - 1, query(day)))
    ]
    assert ticks == [1_000] * 4


def test_a_wanted_market_announced_days_before_is_found_in_the_recording(tmp_path: Path) -> None:
    universe(tmp_path, 8, listed(1, DAY + 8 * NS_DAY))
    record(tmp_path, DAY + NS_DAY, [created(7, DAY + HOUR)], [tick(7, DAY + 9 * NS_DAY, 1_000)])
    found = known(tmp_path, 7, DAY + 9 * NS_DAY, query(9, 1, 7))
    assert found is not None
    assert (found.question, found.tick_size) == ("Question 7?", 1_000)


def test_a_recording_alone_is_enough(tmp_path: Path) -> None:
    record(tmp_path, DAY + NS_DAY, [created(7, DAY + HOUR)])
    assert known(tmp_path, 7, DAY + HOUR) == listed(7, DAY + HOUR)


def test_rows_about_the_venue_are_no_statements_about_a_market(tmp_path: Path) -> None:
    record(tmp_path, DAY + NS_DAY, [VenuePhase(MOCK, DAY + HOUR, None, "closed", "{}")])
    assert list(read_facts(tmp_path, query())) == []


def test_the_markets_that_anything_states_are_found_without_reading_their_records(tmp_path: Path) -> None:
    universe(tmp_path, 0, listed(1, DAY))
    universe(tmp_path, 8, listed(2, DAY + 8 * NS_DAY))
    universe(tmp_path, 10, listed(3, DAY + 10 * NS_DAY))
    record(tmp_path, DAY + NS_DAY, [created(7, DAY + HOUR), tick(8, DAY + HOUR, 1_000)])
    assert listed_markets(tmp_path, query(9, 1, 1, 2, 3, 7, 8, 9)) == {"m1", "m2", "m3", "m7"}
    assert listed_markets(tmp_path, query(9, 1, 2)) == {"m2"}
    assert listed_markets(tmp_path / "nothing", query(9, 1, 2)) == frozenset()


def test_related_markets_are_those_of_the_same_events(tmp_path: Path) -> None:
    shared = EventId("race")
    universe(tmp_path, 0, listed(1, DAY, event_id=shared), listed(2, DAY, event_id=shared), listed(3, DAY))
    record(tmp_path, DAY + NS_DAY, [created(7, DAY + HOUR, event_id=shared), created(8, DAY + HOUR)])
    assert related_markets(tmp_path, query(0, 1, 7, 9)) == {"m1", "m2", "m7", "m9"}


@pytest.mark.parametrize("name", ["plain", 'quo"ted', "back\\slash", "uni\u2028code", '"event_id":"x"'])
def test_related_markets_are_found_whatever_an_event_is_called(tmp_path: Path, name: str) -> None:
    change = created(8, DAY + HOUR, event_id=EventId(name))
    change = replace(change, value='{"event_id":"other","market":{"venue":"v","event_id":"another"}}')
    record(tmp_path, DAY + NS_DAY, [created(7, DAY + HOUR, event_id=EventId(name)), change, tick(9, DAY, 1_000)])
    assert related_markets(tmp_path, query(0, 1, 7)) == {"m7", "m8"}
    assert related_markets(tmp_path, query(0, 1, 9)) == {"m9"}


def test_a_damaged_recording_is_named_when_it_is_read(tmp_path: Path) -> None:
    record(tmp_path, DAY + NS_DAY, [created(7, DAY + HOUR)])
    [path] = data_files(Layout(tmp_path), "lifecycle")
    path.write_bytes(b"damaged")
    assert related_markets(tmp_path, query(0, 1, 7)) == {"m7"}
    with pytest.raises(IntegrityError, match=path.name):
        list(read_facts(tmp_path, query()))


def test_a_line_that_is_damaged_is_named(tmp_path: Path) -> None:
    path = write_universe(tmp_path, MOCK, date_of(DAY), [listed(1, DAY)])
    path.write_bytes(path.read_bytes() + b'{"market_id": "m2", "event_id": "e"}\n')
    with pytest.raises(IntegrityError, match=r"universe\.jsonl, line 2"):
        list(read_facts(tmp_path, query()))
    assert [each.market_id for each in read_facts(tmp_path, query(0, 1, 1))] == ["m1"]


def test_a_line_with_a_value_that_is_no_number_is_named(tmp_path: Path) -> None:
    path = write_universe(tmp_path, MOCK, date_of(DAY), [listed(1, DAY), listed(2, DAY)])
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + re.sub(rb'"tick_size":"[^"]*"', b'"tick_size":"1e-2"', second))
    with pytest.raises(IntegrityError, match=r"universe\.jsonl, line 2: .*1e-2"):
        list(read_facts(tmp_path, query()))


def test_a_file_that_retention_removes_meanwhile_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    universe(tmp_path, 0, listed(1, DAY))
    files = {date_of(DAY - NS_DAY): tmp_path / "gone", **universe_files(tmp_path, MOCK)}
    monkeypatch.setattr("predsurv.store.read.facts.universe_files", lambda *_: files)
    assert [each.market_id for each in read_facts(tmp_path, query())] == ["m1"]


def test_instruments_without_a_listing_are_counted() -> None:
    keys = [InstrumentKey(MOCK, MarketId(f"m{n // 2}"), InstrumentId(str(n))) for n in range(4)]
    count = count_unlisted([*keys, keys[0]], {MarketId("m0")})
    assert (count.recorded, count.unlisted) == (4, 2)
    assert str(count) == "2 of 4 recorded instruments have no listing"
    assert str(count_unlisted(keys[:1], ())) == "1 of 1 recorded instruments has no listing"


def test_memory_does_not_grow_with_the_size_of_the_records(tmp_path: Path) -> None:
    text, count = "x" * 20_000, 500
    for day in range(3):
        stated = (listed(n, DAY + day * NS_DAY + n, description=text, close_time=n + day // 2) for n in range(count))
        universe(tmp_path, day, *stated)
    tracemalloc.start()
    told = sum(1 for _ in read_facts(tmp_path, query(0, 3)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert told == 2 * count
    assert peak < count * len(text) // 5
