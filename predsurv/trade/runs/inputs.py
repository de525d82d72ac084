"""Everything that a run's decisions depend on after its start, in order: what a replay takes instead of feeds."""

from typing import Literal

from msgspec import Struct

from predsurv.core.events import AccountNews, MarketEvent, MarketFact
from predsurv.core.market import Market

ControlKind = Literal["halted", "reducing", "active", "shut_down"]


class MarketBatch(Struct, frozen=True, array_like=True, gc=False, tag="batch"):
    """Market events that were processed together."""

    events: tuple[MarketEvent, ...]


class TimePassed(Struct, frozen=True, array_like=True, gc=False, tag="time"):
    """Ticks up to ``ts`` (ns UTC) were due while nothing arrived."""

    ts: int


class BrokerAnswer(Struct, frozen=True, array_like=True, gc=False, tag="answer"):
    """An event of a broker that is not simulated, or of a comparison with its account."""

    event: AccountNews


class ControlChange(Struct, frozen=True, array_like=True, gc=False, tag="control"):
    """Trading was halted, limited or allowed again at ``ts`` (ns UTC), or the run began to end."""

    ts: int
    kind: ControlKind
    reason: str = ""


RunInput = MarketBatch | TimePassed | BrokerAnswer | ControlChange


class MarketBefore(Struct, frozen=True, array_like=True, tag="listed"):
    """A market that a run knew from its list when it began."""

    market: Market


class StatedFact(Struct, frozen=True, array_like=True, tag="stated"):
    """What a recording stated of a market before a run began."""

    fact: MarketFact


KnownBefore = MarketBefore | StatedFact
"""What a run knew when it began, in the order in which it learnt it."""
