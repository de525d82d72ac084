"""A sink that keeps what is published, for jobs that publish events."""

from collections.abc import Sequence

from predsurv.core.events import ChannelChange, MarketChange, MarketEvent


class EventList:
    """Keeps ``events``, and shows those of a round: what came since ``take`` was called last."""

    def __init__(self) -> None:
        self.events: list[MarketEvent] = []

    def put_events(self, events: Sequence[MarketEvent]) -> None:
        """Append events."""
        self.events += events

    def take(self) -> list[MarketEvent]:
        """Return the events since the last call."""
        taken, self.events = self.events, []
        return taken

    def changes(self) -> list[tuple[str, str]]:
        """Return kind and market of each change since the last call; of changes of a channel its reason."""
        return [
            (event.kind, str(event.market_id)) if isinstance(event, MarketChange) else (event.channel, event.reason)
            for event in self.take()
            if isinstance(event, MarketChange | ChannelChange)
        ]
