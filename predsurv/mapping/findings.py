"""A finding: how one field of a market stands to that of another, with what either side says."""

from typing import Literal

from msgspec import Struct

Status = Literal["agree", "conflict", "narrower", "wider", "opposite", "overlap", "likely", "unknown", "absent"]
"""How a field of one market stands to the other's: ``narrower`` asks for less, ``likely`` agrees as far as both say
something and one says less, ``unknown`` is silent on one side, ``absent`` concerns neither."""

FieldName = Literal[
    "subject",
    "action",
    "threshold",
    "window",
    "cutoff",
    "ticker",
    "game",
    "bet",
    "source",
    "void",
    "payoff",
    "negation",
    "combination",
    "outcome",
    "precedent",
]


class Finding(Struct, frozen=True, gc=False):
    """The evidence on one field, with what either side says."""

    field: FieldName
    status: Status
    first: str = ""
    second: str = ""
