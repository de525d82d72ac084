"""Tests of predsurv.store.listing_history."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.market import FeeSchedule, Market
from predsurv.core.num import Money, Price
from predsurv.store import listing_history
from predsurv.store.listing_history import merge_lines, statement, versions
from predsurv.store.universe import MarketLine, parse_iso, to_line, to_market
from tests.kit.market_samples import market

MINUTE = 60_000_000_000
BASE = market()


def listed(minute: int, **values: object) -> MarketLine:
    return to_line(replace(BASE, fetched_at=BASE.fetched_at + minute * MINUTE, **values))


def merge_all(lines: Sequence[MarketLine]) -> MarketLine:
    merged = lines[0]
    for line in lines[1:]:
        merged = merge_lines(merged, line)
    return merged


def told(line: MarketLine) -> list[tuple[int, Market]]:
    """Return (minute, record without amounts) of each version of a line, oldest first."""
    stated = [statement(each).market for each in versions(line)]
    assert all(each is not None for each in stated)
    return [
        ((each.fetched_at - BASE.fetched_at) // MINUTE, replace(each, fetched_at=0, volume=None))
        for each in stated
        if each is not None
    ]


def test_a_line_that_says_the_same_again_keeps_the_time_from_which_it_holds() -> None:
    line = merge_all([listed(minute, volume=Money(minute)) for minute in (0, 15, 30)])
    assert to_market(line).volume == 30
    assert (parse_iso(line.fetched_at), parse_iso(line.unchanged_since or "")) == (
        BASE.fetched_at + 30 * MINUTE,
        BASE.fetched_at,
    )
    assert line.replaced == ()
    assert [minute for minute, _ in told(line)] == [0]


def test_a_changed_fact_is_kept_with_the_time_of_its_scan() -> None:
    fee = FeeSchedule("polymarket", 50_000)
    scans = [listed(0), listed(15), listed(30, tick_size=Price(1_000)), listed(45, tick_size=Price(1_000), fee=fee)]
    line = merge_all(scans)
    encoded = msgspec.json.decode(msgspec.json.encode(line))
    since = [to_market(each).fetched_at for each in versions(line)]
    assert since == [BASE.fetched_at + minute * MINUTE for minute in (0, 30, 45)]
    assert [sorted(each) for each in encoded["replaced"]] == [["fetched_at", "tick_size"], ["fee", "fetched_at"]]
    assert encoded["replaced"][0]["tick_size"] == "0.01"
    assert told(msgspec.convert(encoded, MarketLine)) == [
        (0, replace(BASE, fetched_at=0)),
        (30, replace(BASE, fetched_at=0, tick_size=Price(1_000))),
        (45, replace(BASE, fetched_at=0, tick_size=Price(1_000), fee=fee)),
    ]


def test_a_fact_that_was_unknown_before_is_unknown_in_the_earlier_version() -> None:
    line = merge_all([listed(0), listed(15, close_time=7, rules_hash="a", category=None)])
    assert [(each.close_time, each.rules_hash, each.category) for _, each in told(line)] == [
        (None, None, "sports"),
        (7, "a", None),
    ]


def test_amounts_and_texts_have_no_history() -> None:
    line = merge_all([listed(0, volume=Money(5), description="x"), listed(15, volume=Money(6), description="y")])
    assert (line.replaced, line.description) == ((), "y")
    changed = merge_all([listed(0, volume=Money(5)), listed(15, volume=Money(6), tick_size=Price(1_000))])
    assert [to_market(each).volume for each in versions(changed)] == [None, 6]


def test_a_fee_that_holds_since_the_scan_has_not_changed_with_it() -> None:
    fees = [FeeSchedule("polymarket", 50_000, since=BASE.fetched_at + minute * MINUTE) for minute in range(3)]
    line = merge_all([listed(minute, fee=fee) for minute, fee in enumerate(fees)])
    assert (line.replaced, to_market(line).fee) == ((), fees[0])
    line = merge_lines(line, listed(3, fee=fees[0], tick_size=Price(1_000)))
    assert [sorted(each) for each in line.replaced] == [["fetched_at", "tick_size"]]


def test_a_market_that_is_listed_again_was_not_last_seen_earlier() -> None:
    gone = replace(listed(0), last_seen=listed(0).fetched_at)
    assert merge_lines(gone, listed(15)).last_seen is None


def test_of_too_many_changes_the_first_and_the_latest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing_history, "REPLACED_MAX", 3)
    ticks = [Price(1_000 * (1 + n)) for n in range(8)]
    line = merge_all([listed(n, tick_size=tick, close_time=n % 3) for n, tick in enumerate(ticks)])
    assert [(minute, each.tick_size) for minute, each in told(line)] == [(n, ticks[n]) for n in (0, 5, 6, 7)]
    assert [each.close_time for _, each in told(line)] == [0, 2, 0, 1]


_SCANS = st.lists(
    st.tuples(st.sampled_from([1_000, 10_000]), st.sampled_from([None, 7]), st.integers(0, 3)), min_size=1, max_size=7
)


@given(_SCANS, st.booleans())
def test_a_scan_may_be_written_after_the_next_one(scans: list[tuple[int, int | None, int]], first: bool) -> None:
    order = list(range(len(scans)))
    for n in range(0 if first else 1, len(order) - 1, 2):
        order[n], order[n + 1] = order[n + 1], order[n]
    lines = [
        listed(minute, tick_size=Price(tick), close_time=close, volume=Money(volume))
        for minute, (tick, close, volume) in enumerate(scans)
    ]
    merged = merge_all(lines)
    assert merge_all([lines[number] for number in order]) == merged
    facts = [(minute, tick, close) for minute, (tick, close, _) in enumerate(scans)]
    expected = [each for n, each in enumerate(facts) if n == 0 or each[1:] != facts[n - 1][1:]]
    assert [(minute, each.tick_size, each.close_time) for minute, each in told(merged)] == expected
