"""The Protocol that strategies implement; they need not import the engine."""

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from predsurv.core.events import Event
from predsurv.core.ids import StrategyName
from predsurv.core.mapping import ApprovedMapping
from predsurv.core.orders import Decision
from predsurv.engine.interest import Attention, Interest
from predsurv.state.view import View


class Strategy(Protocol):
    """Turns events into intents; synchronous, without clock, randomness or I/O.

    It receives what its ``interest`` says of book, quote and trade events of trusted instruments, of ticks and of
    gaps; the account events of its own orders, every change of a venue's phase, and every change and settlement of the
    markets that it selects.
    ``view.position`` is the strategy's own position: two strategies in one instrument do not see each other's shares.
    """

    @property
    def name(self) -> StrategyName:
        """The name used in configuration, journals and metrics."""
        ...

    @property
    def signals(self) -> frozenset[str]:
        """Every ``signal`` its intents may carry: the label set of its metrics."""
        ...

    @property
    def interest(self) -> Interest:
        """Which events it is called with; read once, when the run begins."""
        ...

    def on_event(self, event: Event, view: View) -> Iterable[Decision] | None:
        """Return what to do now, or None; consecutive intents of one group are approved or refused together."""
        ...


@runtime_checkable
class TimedStrategy(Protocol):
    """A strategy that says when the passing of time matters to it next."""

    @property
    def wake_at(self) -> int:
        """The time (ns UTC) before which no tick is told; asked before each tick, so it may change at every call."""
        ...


@runtime_checkable
class SelectiveStrategy(Protocol):
    """A strategy that says which book events it waits for, as what it has ordered and holds changes."""

    @property
    def attention(self) -> Attention:
        """What it waits for now; asked before each book event, and another object whenever it says anything else."""
        ...


@runtime_checkable
class CrossVenueStrategy(Protocol):
    """A strategy that trades one contract on several venues."""

    def use_mappings(self, mappings: Iterable[ApprovedMapping]) -> None:
        """Take the approved mappings between the venues of the run; called before its ``interest`` is read, if ever."""
        ...
