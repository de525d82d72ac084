"""The table of hash verification: what it lists, and that the documentation shows the same."""

import pytest

from predsurv.venues.polymarket.book_hash import HashedBook
from predsurv.venues.polymarket.hash_states import (
    PROVEN,
    SUSPECTS,
    TRANSITIONS,
    UNVERIFIABLE,
    Evidence,
    VerificationState,
)
from tests.kit.state_diagram import drawn, tabled


def test_the_diagram_shows_the_table() -> None:
    assert sorted(drawn("Hash verification")) == sorted(tabled(TRANSITIONS, VerificationState.UNPROVEN))


def test_every_state_and_kind_of_evidence_is_in_the_table() -> None:
    assert set(TRANSITIONS) == set(VerificationState)
    assert {evidence for listed in TRANSITIONS.values() for evidence in listed} == set(Evidence)


def test_a_new_book_is_unproven() -> None:
    assert HashedBook("1").state is VerificationState.UNPROVEN


@pytest.mark.parametrize("state", VerificationState)
@pytest.mark.parametrize("evidence", Evidence)
def test_evidence_that_is_not_listed_leaves_the_state(state: VerificationState, evidence: Evidence) -> None:
    book = HashedBook("1")
    book.state = state
    book.apply(evidence)
    assert book.state is TRANSITIONS[state].get(evidence, state)


def test_a_snapshot_and_a_match_clear_every_suspect() -> None:
    for state in SUSPECTS:
        for evidence in (Evidence.SNAPSHOT, Evidence.QUOTES_MATCH):
            assert TRANSITIONS[state][evidence] not in SUSPECTS


def test_only_a_suspect_is_reported_as_wrong() -> None:
    reported = {state for state, listed in TRANSITIONS.items() if VerificationState.MISMATCHED in listed.values()}
    assert reported == SUSPECTS


def test_only_a_hash_proves_a_book() -> None:
    listed = [(state, evidence, target) for state, row in TRANSITIONS.items() for evidence, target in row.items()]
    from_elsewhere = {
        (state, evidence) for state, evidence, target in listed if target in PROVEN and state not in PROVEN
    }
    assert from_elsewhere == {
        (VerificationState.UNPROVEN, Evidence.HASH_MATCH),
        (VerificationState.UNPROVEN_SUSPECT, Evidence.HASH_MATCH),
    }


def test_no_hash_is_compared_while_unverifiable() -> None:
    book = HashedBook("1")
    book.snapshot_hash = "ab"
    assert book.verifiable
    for state in UNVERIFIABLE:
        book.state = state
        assert not book.verifiable
        assert Evidence.HASH_MATCH not in TRANSITIONS[state]
