"""Two lists are compared market by market; edited rules are shown word by word."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.errors import IntegrityError
from predsurv.core.ids import VenueName
from predsurv.core.market import FeeSchedule, Market
from predsurv.core.num import Price
from predsurv.scan.changes import WORDS_MAX, changes, word_diff
from predsurv.store.listing_history import merge_lines
from predsurv.store.universe import to_line
from tests.kit.market_samples import NOW, market
from tests.kit.recordings import write_universe

V = VenueName("mock")
BEFORE, AFTER = "2027-01-15", "2027-01-16"
OLD = replace(
    market(1),
    description="Resolves to Yes if rates are cut by June 1 at noon Eastern time, as told by the Fed.",
    fee=FeeSchedule("polymarket", 40_000),
    close_time=NOW,
)


def told(folder: Path, old: list[Market], new: list[Market]) -> list[tuple[str, str, str]]:
    before, after = write_universe(folder, V, BEFORE, old), write_universe(folder, V, AFTER, new)
    return [(each.kind, each.market_id, each.what) for each in changes(before, after)]


def test_equal_lists_have_no_changes_whatever_they_say_of_amounts(tmp_path: Path) -> None:
    later = replace(OLD, fetched_at=NOW + 5, volume_24h=7, liquidity=9, fee=replace(OLD.fee, since=NOW), tradable=False)
    assert told(tmp_path, [OLD, market(2)], [market(2), later]) == []


@pytest.mark.parametrize(
    ("new", "kind", "what"),
    [
        (replace(OLD, status="paused"), "status", "active → paused"),
        (replace(OLD, status="resolved"), "closed", "active → resolved"),
        (replace(OLD, last_seen=NOW), "gone", "active → not listed"),
        (replace(OLD, close_time=NOW + 10**9), "dates", "closes 2027-01-15T08:00:00Z → 2027-01-15T08:00:01Z"),
        (replace(OLD, game_start=NOW), "dates", "game starts unknown → 2027-01-15T08:00:00Z"),
        (replace(OLD, tick_size=Price(1_000)), "tick", "tick 0.01 → 0.001"),
        (
            replace(OLD, fee=FeeSchedule("kalshi", 70_000, maker_rate=5_000)),
            "fee",
            "fee polymarket 0.04 → kalshi 0.07, makers 0.005",
        ),
        (replace(OLD, fee=FeeSchedule()), "fee", "fee polymarket 0.04 → none"),
        (replace(OLD, question="Question 2?"), "title", "Question [-1?-] {+2?+}"),
        (
            replace(OLD, description=OLD.description.replace("June 1", "July 1")),  # type: ignore[union-attr]
            "rules",
            "… Yes if rates are cut by [-June-] {+July+} 1 at noon Eastern time, as …",
        ),
    ],
)
def test_each_kind_of_change_is_told_in_words(tmp_path: Path, new: Market, kind: str, what: str) -> None:
    found = told(tmp_path, [OLD], [new])
    assert [(each[0], each[2]) for each in found] == [(kind, what)]


def test_a_market_that_only_one_list_has_is_new_or_gone_unless_it_is_over(tmp_path: Path) -> None:
    over = replace(market(3), status="closed")
    assert told(tmp_path, [OLD, over], [market(2), replace(market(4), status="void")]) == [
        ("new", "m2", "active, closes at an unknown time"),
        ("gone", "m1", "was active"),
    ]


def test_rules_of_which_only_a_hash_is_known_have_changed_all_the_same(tmp_path: Path) -> None:
    one, other = replace(OLD, rules_hash="a"), replace(OLD, rules_hash="b")
    assert told(tmp_path, [one], [other]) == [("rules", "m1", "changed in what the list does not tell")]
    assert told(tmp_path, [OLD], [other]) == [], "what nobody stated has not changed"


def test_changes_within_a_day_come_from_the_history_of_its_lines(tmp_path: Path) -> None:
    line = merge_lines(to_line(OLD), to_line(replace(OLD, tick_size=Price(1_000), fetched_at=NOW + 10**9)))
    path = write_universe(tmp_path, V, BEFORE, [line, to_line(market(2))])
    assert [(each.kind, each.what) for each in changes(path, path)] == [("tick", "tick 0.01 → 0.001")]


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    before, after = write_universe(tmp_path, V, BEFORE, [OLD]), write_universe(tmp_path, V, AFTER, [OLD])
    for path, other in ((before, after), (after, before)):
        whole = path.read_bytes()
        path.write_bytes(whole + b"{\n")
        with pytest.raises(IntegrityError, match=rf"{path}, before byte"):
            list(changes(before, after))
        path.write_bytes(whole)
        assert other.exists()


def test_long_texts_are_told_to_have_changed(tmp_path: Path) -> None:
    long = "word " * (WORDS_MAX + 1)
    assert word_diff(long, long) == ""
    assert word_diff(long, "short") == "changed, too long to compare (4,001 and 1 words)"


WORDS = st.lists(st.sampled_from(["a", "b", "c", "d", "June", "July"]), max_size=40).map(" ".join)


@given(WORDS, WORDS)
def test_the_marks_hold_exactly_what_went_and_came(before: str, after: str) -> None:
    shown = word_diff(before, after)
    assert (shown == "") == (before.split() == after.split())
    gone, come, rest = list[str](), list[str](), shown.split()
    where = None
    for word in rest:
        where = gone if word.startswith("[-") else come if word.startswith("{+") else where
        if where is not None:
            where.append(word.removeprefix("[-").removeprefix("{+").removesuffix("-]").removesuffix("+}"))
        if word.endswith(("-]", "+}")):
            where = None
    assert len(before.split()) - len(gone) == len(after.split()) - len(come), "what is left is the same"
