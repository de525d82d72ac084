"""Which venues there are, and how each is opened.

Kept apart as the one place that knows the adapters; each is imported when it is opened, so that
nobody pays for a venue that is not used.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Final

from predsurv.config import Config
from predsurv.core.errors import ConfigError
from predsurv.core.text import sanitise
from predsurv.net.clock import system_random
from predsurv.ports import Clock, Venue

Rand = Callable[[], float]

_logger = logging.getLogger(__name__)


def _mock(config: Config, clock: Clock, _rand: Rand) -> Venue:
    from predsurv.venues.mock.venue import MockVenue

    return MockVenue(config.mock, clock)


def _polymarket(config: Config, clock: Clock, rand: Rand) -> Venue:
    from predsurv.venues.polymarket.venue import PolymarketVenue

    return PolymarketVenue(config, clock, rand)


_ADAPTERS: Final[dict[str, Callable[[Config, Clock, Rand], Venue]]] = {"polymarket": _polymarket, "mock": _mock}

VENUES: Final = ("polymarket", "kalshi", "mock")
"""Every venue name that a user may write."""


def enabled_venues(config: Config) -> Sequence[str]:
    """Return the venues to use when none is named: the mock one alone when it is enabled.

    An enabled venue without an adapter is left out with a notice: a default scan goes on.
    """
    if config.mock.enabled:
        return ("mock",)
    venues = config.venues
    wanted = [
        name for name, section in (("polymarket", venues.polymarket), ("kalshi", venues.kalshi)) if section.enabled
    ]
    for name in wanted:
        if name not in _ADAPTERS:
            _logger.warning("%s is not available in this version and is left out", name)
    return tuple(name for name in wanted if name in _ADAPTERS)


def open_venue(name: str, config: Config, clock: Clock, rand: Rand = system_random) -> Venue:
    """Return the venue called ``name``; with the mock enabled every real name means the mock.

    Raises ConfigError when there is no such venue or no adapter for it yet.
    """
    if name not in VENUES:
        raise ConfigError(f"no venue is called {sanitise(name, 40)!r}; there are: {', '.join(VENUES)}")
    chosen = "mock" if config.mock.enabled else name
    adapter = _ADAPTERS.get(chosen)
    if adapter is None:
        raise ConfigError(f"{chosen} is not available in this version; name another venue, or use --mock")
    return adapter(config, clock, rand)
