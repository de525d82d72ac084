"""The review: what each key does, what cannot be approved, and a key read from a terminal."""

import io
import os
import pty
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.console import Console

from predsurv.cli.commands.map_review import Decision, DecisionFile, ReviewCounts, ReviewSession, mapped, read_key
from predsurv.cli.output.mapping_review import ReviewPair
from predsurv.config.mapping_decisions import read_rejected
from predsurv.config.mappings import read_mappings
from predsurv.core.errors import ConfigError
from predsurv.core.ids import InstrumentId
from predsurv.core.mapping import ApprovedMapping
from predsurv.core.market import Market, Outcome
from predsurv.mapping.approved_terms import ApprovedRecord
from predsurv.mapping.candidate_file import QueuedPair
from predsurv.mapping.findings import Finding
from predsurv.net.clock import ManualClock
from tests.kit.mapping_universes import market

CLOSE = "2026-12-31T00:00:00Z"


def pair(number: int = 1, relation: str = "same", rules: str = "rules") -> ReviewPair:
    first = market("kalshi", f"KX-{number}", "Will it end?", rules, CLOSE)
    second = market("polymarket", f"0x{number}", "Does it end?", rules, CLOSE)
    evidence = (Finding("source", "unknown"),)
    names = ("kalshi", first.market_id, first.question, "polymarket", second.market_id, second.question)
    return ReviewPair(QueuedPair(*names, relation, 0.5, 1, "", evidence, (), "", ""), first, second)


class Review:
    """A review on a screen in memory with the decisions it came to."""

    def __init__(self, keys: str, *pairs: ReviewPair, height: int = 60) -> None:
        self.decided: list[tuple[str, Decision]] = []
        self.screen = io.StringIO()
        target = Console(file=self.screen, width=80, height=height, force_terminal=False, markup=False)
        left = iter(keys)
        self.counts: ReviewCounts = ReviewSession(target, lambda: next(left, "q"), self.decide).run(pairs)

    def decide(self, pair: ReviewPair, decision: Decision) -> None:
        self.decided.append((str(pair.first.market_id), decision))


def test_keys_approve_reject_skip_go_back_and_end() -> None:
    review = Review("say" + "br" + "s", pair(1), pair(2), pair(3))
    assert review.decided == [("KX-2", "approve"), ("KX-2", "reject")]
    assert (review.counts.approved, review.counts.rejected, review.counts.skipped) == (1, 1, 2)
    assert Review("q", pair(1)).decided == []


def test_an_approval_names_what_is_not_certain_and_asks_once_more() -> None:
    review = Review("an", pair())
    assert review.decided == []
    assert "not certain: source" in review.screen.getvalue()


def test_the_inverse_is_approved_as_the_inverse_and_what_is_not_equal_never() -> None:
    assert Review("ay", pair(relation="inverse")).decided == [("KX-1", "approve-inverse")]
    for relation in ("subset", "superset", "union-equal"):
        review = Review("a", pair(relation=relation))
        assert review.decided == []
        assert "only equal markets can be approved" in review.screen.getvalue()


def test_long_rules_are_paged() -> None:
    long = pair(rules=" ".join(f"word{number}" for number in range(400)))
    assert "word399" not in Review("", long, height=20).screen.getvalue()
    assert "word399" in Review(" " * 60, long, height=20).screen.getvalue()


def test_decisions_are_in_the_file_at_once_and_comments_stay(tmp_path: Path) -> None:
    path = tmp_path / "config" / "mappings.toml"
    path.parent.mkdir()
    path.write_text("# mine\n")
    decide = DecisionFile(path, "ada", ManualClock(1_800_000_000_000_000_000))
    decide(pair(1), "approve")
    decide(pair(2, "inverse"), "approve-inverse")
    decide(pair(3), "reject")
    equal, inverse = read_mappings(path)
    assert equal.second.outcomes == ("0x1:y", "0x1:n")
    assert inverse.second.outcomes == ("0x2:n", "0x2:y")
    assert equal.first.holds_for(pair(1).first)
    assert not equal.first.holds_for(replace(pair(1).first, rules_hash="another"))
    assert len(read_rejected(path)) == 1
    assert path.read_text().startswith("# mine\n")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="map KX-1 to two markets"):
        decide(ReviewPair(pair(1).candidate, pair(1).first, pair(9).second), "approve")
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["mappings.toml"]


def suspended(now: Market) -> ReviewPair:
    before = pair(1)
    mapping = ApprovedMapping(mapped(before.first), replace(mapped(before.second), terms="0" * 32), "ada", 1)
    record = ApprovedRecord(None, now, ())
    return ReviewPair(before.candidate, before.first, now, mapping, (record,))


def test_a_suspended_pair_is_approved_again_only_with_the_outcomes_it_had(tmp_path: Path) -> None:
    decide = DecisionFile(tmp_path / "mappings.toml", "eve", ManualClock(1_800_000_000_000_000_000))
    now = replace(pair(1).second, rules_hash="another")
    decide(suspended(now), "approve-again")
    (again,) = read_mappings(tmp_path / "mappings.toml")
    assert again.approved_by == "eve"
    assert again.second.holds_for(now)
    other = replace(now, outcomes=(Outcome(InstrumentId("x"), "Yes"), Outcome(InstrumentId("y"), "No")))
    with pytest.raises(ConfigError, match="outcomes of 0x1 are others now"):
        decide(suspended(other), "approve-again")
    review = Review("ay", suspended(now))
    assert review.decided == [("KX-1", "approve-again")]
    assert "changed since: 0x1; not certain: source" in review.screen.getvalue()


def test_a_key_is_read_as_it_is_pressed(monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = pty.openpty()
    try:
        with open(slave, encoding="utf-8", closefd=False) as keyboard:
            monkeypatch.setattr(sys, "stdin", keyboard)
            os.write(master, b"a")
            assert read_key() == "a"
            os.write(master, b"\x1b[B")
            assert read_key() == "\x1b[B"
    finally:
        os.close(master)
        os.close(slave)
