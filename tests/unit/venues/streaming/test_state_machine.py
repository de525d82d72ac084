"""A table allows what it lists and nothing else; the diagrams in the documentation show the same."""

from collections.abc import Mapping
from enum import Enum

import pytest

from predsurv.core.errors import BrokenInvariant
from predsurv.venues.streaming.connection import CONNECTION_TRANSITIONS, ConnectionState, ConnectionTrigger
from predsurv.venues.streaming.rules import SESSION_TRANSITIONS, SessionState, SessionTrigger
from predsurv.venues.streaming.state_machine import next_state
from tests.kit.state_diagram import drawn, tabled


def test_a_listed_transition_leads_to_its_state() -> None:
    assert (
        next_state(SESSION_TRANSITIONS, SessionState.AWAITING_DATA, SessionTrigger.DATA)
        is SessionState.FLOWING
    )  # fmt: skip


def test_an_unlisted_transition_is_a_broken_invariant() -> None:
    with pytest.raises(BrokenInvariant, match="'first data' is impossible while 'frozen'"):
        next_state(SESSION_TRANSITIONS, SessionState.FROZEN, SessionTrigger.DATA)


@pytest.mark.parametrize(
    ("heading", "table", "start"),
    [
        ("Connection", CONNECTION_TRANSITIONS, ConnectionState.CONNECTING),
        ("Session", SESSION_TRANSITIONS, SessionState.AWAITING_DATA),
    ],
)
def test_the_diagram_shows_the_table(heading: str, table: Mapping[Enum, Mapping[Enum, Enum]], start: Enum) -> None:
    assert sorted(drawn(heading)) == sorted(tabled(table, start))


@pytest.mark.parametrize(
    ("table", "states", "triggers"),
    [
        (CONNECTION_TRANSITIONS, ConnectionState, ConnectionTrigger),
        (SESSION_TRANSITIONS, SessionState, SessionTrigger),
    ],
)
def test_every_state_and_trigger_is_in_its_table(
    table: Mapping[Enum, Mapping[Enum, Enum]], states: type[Enum], triggers: type[Enum]
) -> None:
    assert set(table) == set(states)
    assert {trigger for leads in table.values() for trigger in leads} == set(triggers)
