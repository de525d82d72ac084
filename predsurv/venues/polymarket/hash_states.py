"""What is known about one book from the hashes that the venue states of it: states, evidence, transitions.

The diagram under "Hash verification" in ``docs/architecture.md`` shows the same table.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class VerificationState(StrEnum):
    """State of a book; a suspect did not match at its last check."""

    UNPROVEN = "unproven"
    """No stated hash was reproduced yet: what it covers besides the levels is a guess."""
    PROVEN = "proven"
    """A stated hash was reproduced: what it covers besides the levels is known."""
    UNVERIFIABLE = "unverifiable"
    """The recipe does not give the hash of the present snapshot, or lacks the form of its last trade price: only best
    prices are compared."""
    UNPROVEN_SUSPECT = "unproven_suspect"
    PROVEN_SUSPECT = "proven_suspect"
    UNVERIFIABLE_SUSPECT = "unverifiable_suspect"
    MISMATCHED = "mismatched"
    """Reported as wrong; its owner forgets the book and requests a snapshot."""


class Evidence(StrEnum):
    """What bears on the state of a book."""

    SNAPSHOT = "snapshot"
    """The venue sent the book whole."""
    HASH_MATCH = "hash matches"
    """Our book gives the hash that the venue stated."""
    QUOTES_MATCH = "best prices match"
    """No hash can be compared, and our best prices are those that the venue stated."""
    MISMATCH = "mismatch"
    """The stated hash, or the stated best prices, differ from ours."""
    RECIPE_FAILED = "recipe fails"
    """No possible input gives the hash of a book that was never reproduced, of a snapshot as it was sent, or of a book
    with a tick size for which it is not known how last trade prices are written."""
    TIMED_OUT = "still differs"
    """A suspect did not match for as long as it is given."""
    REST_INPUTS = "inputs from REST"
    """REST stated what the hash of the present book covers besides the levels."""


TRANSITIONS: Final[Mapping[VerificationState, Mapping[Evidence, VerificationState]]] = {
    VerificationState.UNPROVEN: {
        Evidence.HASH_MATCH: VerificationState.PROVEN,
        Evidence.MISMATCH: VerificationState.UNPROVEN_SUSPECT,
    },
    VerificationState.PROVEN: {
        Evidence.MISMATCH: VerificationState.PROVEN_SUSPECT,
    },
    VerificationState.UNVERIFIABLE: {
        Evidence.SNAPSHOT: VerificationState.UNPROVEN,
        Evidence.REST_INPUTS: VerificationState.UNPROVEN,
        Evidence.MISMATCH: VerificationState.UNVERIFIABLE_SUSPECT,
    },
    VerificationState.UNPROVEN_SUSPECT: {
        Evidence.SNAPSHOT: VerificationState.UNPROVEN,
        Evidence.HASH_MATCH: VerificationState.PROVEN,
        Evidence.QUOTES_MATCH: VerificationState.UNPROVEN,
        Evidence.RECIPE_FAILED: VerificationState.UNVERIFIABLE,
        Evidence.TIMED_OUT: VerificationState.MISMATCHED,
    },
    VerificationState.PROVEN_SUSPECT: {
        Evidence.SNAPSHOT: VerificationState.PROVEN,
        Evidence.HASH_MATCH: VerificationState.PROVEN,
        Evidence.QUOTES_MATCH: VerificationState.PROVEN,
        Evidence.RECIPE_FAILED: VerificationState.UNVERIFIABLE,
        Evidence.TIMED_OUT: VerificationState.MISMATCHED,
    },
    VerificationState.UNVERIFIABLE_SUSPECT: {
        Evidence.SNAPSHOT: VerificationState.UNPROVEN,
        Evidence.REST_INPUTS: VerificationState.UNPROVEN_SUSPECT,
        Evidence.QUOTES_MATCH: VerificationState.UNVERIFIABLE,
        Evidence.TIMED_OUT: VerificationState.MISMATCHED,
    },
    VerificationState.MISMATCHED: {},
}
"""The next state by state and evidence; evidence that is not listed leaves the state as it is."""

SUSPECTS: Final = frozenset(
    {VerificationState.UNPROVEN_SUSPECT, VerificationState.PROVEN_SUSPECT, VerificationState.UNVERIFIABLE_SUSPECT}
)
PROVEN: Final = frozenset({VerificationState.PROVEN, VerificationState.PROVEN_SUSPECT})
UNVERIFIABLE: Final = frozenset({VerificationState.UNVERIFIABLE, VerificationState.UNVERIFIABLE_SUSPECT})
