"""The health of a trading run, venue by venue."""

from collections.abc import Iterable, Sequence
from typing import Final

from predsurv.core.events import Connected, Disconnected, Event, MarketEvent
from predsurv.core.ids import VenueName
from predsurv.engine.engine import Engine
from predsurv.engine.step import Step
from predsurv.ports import Clock
from predsurv.telemetry.health import RunHealth, VenueHealth
from predsurv.trade.stats import RunStats

STUCK_AFTER: Final = 5_000_000_000
"""A run whose controller had no turn for longer (ns), its event loop turning, waits for what does not come."""


class FeedWatch:
    """A ``RunObserver`` that keeps when each venue sent something last, and whether it is connected."""

    def __init__(self, venues: Iterable[VenueName], clock: Clock) -> None:
        self._clock = clock
        self._connections: dict[VenueName, int | None] = dict.fromkeys(venues)  # None before the first one
        self._heard: dict[VenueName, int] = {}
        self._turned = clock.monotonic()

    def on_turn(self) -> None:
        """Keep when the controller had its last turn."""
        self._turned = self._clock.monotonic()

    def on_batch(self, venue: VenueName, batch: Sequence[MarketEvent]) -> None:
        """Keep what a batch says of the connections to its venue."""
        for event in batch:
            if isinstance(event, Connected | Disconnected):
                self._connections[venue] = event.connections
        self._heard[venue] = self._clock.monotonic()

    def on_step(self, event: Event, step: Step) -> None:
        """Keep nothing of what the engine decided."""

    def health(self, engine: Engine, stats: RunStats) -> RunHealth:
        """Return the health of the run, from any thread: halted trading and a venue without connection are wrong."""
        trading, elapsed = engine.control.trading, self._clock.monotonic() - self._turned
        return RunHealth(
            causes=("trading is halted: 'predsurv resume' allows it again",) if trading == "halted" else (),
            venues=tuple(map(self._venue_health, tuple(self._connections))),
            fields={"trading": trading, "events": stats.events},
            stuck=f"nothing has been decided for {elapsed / 1e9:.1f} s" if elapsed > STUCK_AFTER else None,
        )

    def _venue_health(self, venue: VenueName) -> VenueHealth:
        connections, heard = self._connections[venue], self._heard.get(venue)
        age = None if heard is None else max(0, self._clock.monotonic() - heard)
        causes = () if connections else ("blind: no connection is open" if connections == 0 else "not connected yet",)
        return VenueHealth(
            venue=venue,
            causes=causes,
            line=f"{venue} connected",
            fields={"connections": connections or 0, "last_event_age_s": None if age is None else round(age / 1e9, 3)},
        )
