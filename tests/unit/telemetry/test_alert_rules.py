"""A state that lasts is told once, and once more when it ends."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.telemetry.alert_rules import HOLD, AlertLimits, AlertRules, BookCount, ResolvedMarket, Sighting

LIMITS = AlertLimits(gap_share=100_000, disk_free=2_000_000_000)
FINE: Mapping[str, BookCount] = {"c0": BookCount(100, 100)}
SEEN = Sighting(0, FINE, 10**12)


def told(rules: AlertRules, seen: Sighting) -> list[tuple[str, str, bool]]:
    return [(each.kind, each.subject, each.over) for each in rules.look(seen)]


def test_nothing_is_told_while_all_is_well() -> None:
    rules = AlertRules(LIMITS)
    assert [told(rules, replace(SEEN, at=at)) for at in (0, HOLD, 2 * HOLD)] == [[], [], []]
    assert told(AlertRules(LIMITS), Sighting(0, {}, 10**12)) == [], "no collector ran yet"


def test_a_collector_that_stops_is_told_until_it_runs_again() -> None:
    rules = AlertRules(LIMITS)
    rules.look(SEEN)
    assert told(rules, replace(SEEN, collectors={})) == [("collector_stopped", "c0", False)]
    assert told(rules, replace(SEEN, collectors={})) == []
    assert told(rules, SEEN) == [("collector_stopped", "c0", True)]


def test_lost_books_are_told_once_they_have_been_lost_for_a_while() -> None:
    rules, lost = AlertRules(LIMITS), {"c0": BookCount(100, 89)}
    assert told(rules, replace(SEEN, at=5, collectors={"c0": BookCount(100, 90)})) == [], "no more than the limit"
    assert told(rules, replace(SEEN, at=10, collectors=lost)) == []
    assert told(rules, replace(SEEN, at=9 + HOLD, collectors=lost)) == []
    (alert,) = rules.look(replace(SEEN, at=10 + HOLD, collectors=lost))
    assert alert.message == "11 of 100 books are not known"
    assert told(rules, replace(SEEN, at=11 + HOLD)) == [("books_lost", "c0", True)]
    assert told(rules, replace(SEEN, at=12 + HOLD, collectors=lost)) == [], "it begins anew"


def test_a_full_disk_and_a_halt_are_told_with_their_figures() -> None:
    rules = AlertRules(LIMITS)
    found = rules.look(replace(SEEN, disk_free=1_500_000_000, halt="trading is halted: x"))
    assert [(each.kind, each.message) for each in found] == [
        ("disk_low", "only 1,500 MB are free"),
        ("trading_halted", "trading is halted: x"),
    ]
    assert told(rules, SEEN) == [("disk_low", "disk", True), ("trading_halted", "trading", True)]


def test_every_settlement_is_told() -> None:
    seen = replace(SEEN, resolved=(ResolvedMarket("mock", "m", "m-yes pays 1"),))
    assert [each.message for each in AlertRules(LIMITS).look(seen)] == ["m has settled: m-yes pays 1"]


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans(), st.integers(0, 100))))
def test_what_begins_ends_before_it_begins_again(steps: list[tuple[bool, bool, bool, int]]) -> None:
    rules, on = AlertRules(LIMITS), set[tuple[str, str]]()
    for number, (runs, halted, full, known) in enumerate(steps):
        books = {"c0": BookCount(100, known)} if runs else {}
        seen = Sighting(number * HOLD, books, 0 if full else 10**12, "halted" if halted else None)
        for kind, subject, over in told(rules, seen):
            assert ((kind, subject) in on) == over
            on ^= {(kind, subject)}
        assert (("trading_halted", "trading") in on) == halted
        assert (("disk_low", "disk") in on) == full
