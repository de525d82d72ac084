"""Read the state diagrams of ``docs/architecture.md``, so that tests can compare them with the tables in the code."""

import re
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import TypeVar

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "architecture.md"

State = TypeVar("State", bound=Enum)
Trigger = TypeVar("Trigger", bound=Enum)
Transition = tuple[str, str, str]
"""State, trigger and next state, as drawn."""

_ARROW = re.compile(r"^\s*(\S+) --> (\S+?)(?:: (.+?))?\s*$", re.MULTILINE)
_END = "[*]"


def drawn(heading: str) -> list[Transition]:
    """Return the transitions of the mermaid diagram under ``heading``, with "" as the trigger of start and end."""
    _, _, section = DOCUMENT.read_text().partition(f"\n### {heading}\n")
    _, _, diagram = section.partition("\n##")[0].partition("```mermaid\nstateDiagram-v2\n")
    return [(source, trigger, target) for source, target, trigger in _ARROW.findall(diagram.partition("```")[0])]


def tabled(table: Mapping[State, Mapping[Trigger, State]], start: State) -> list[Transition]:
    """Return the same list for a table: from the start, and to the end from states without a transition."""
    transitions = [
        (state.value, trigger.value, following.value)
        for state, leads in table.items()
        for trigger, following in leads.items()
    ]
    ends = [(state.value, "", _END) for state, leads in table.items() if not leads]
    return [(_END, "", start.value), *transitions, *ends]
