"""Transition tables: how a state machine is written down, and the only way to follow it.

A table is a literal dict, state → trigger → next state. ``docs/architecture.md`` draws each table,
and a test compares drawing and table.
"""

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

from predsurv.core.errors import BrokenInvariant

State = TypeVar("State", bound=Enum)
Trigger = TypeVar("Trigger", bound=Enum)


def next_state(transitions: Mapping[State, Mapping[Trigger, State]], state: State, trigger: Trigger) -> State:
    """Return the state that ``trigger`` leads to; raises BrokenInvariant when the table has no such transition."""
    following = transitions[state].get(trigger)
    if following is None:
        raise BrokenInvariant(f"{type(state).__name__}: {trigger.value!r} is impossible while {state.value!r}")
    return following
