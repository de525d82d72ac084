"""The venue adapters by name; each is imported only when it is opened."""

from collections.abc import Awaitable, Callable, Sequence
from difflib import get_close_matches
from typing import Final

from predsurv.config import Config
from predsurv.core.errors import ConfigError
from predsurv.core.text import sanitise
from predsurv.net.clock import system_random
from predsurv.ports import Clock, Venue
from predsurv.venues.execution.gateway import VenueAccount
from predsurv.venues.spec_drift import KnownFeed

Rand = Callable[[], float]


def _mock(config: Config, clock: Clock, _rand: Rand, _share: int) -> Venue:
    from predsurv.venues.mock.venue import MockVenue

    return MockVenue(config.mock, clock)


def _polymarket(config: Config, clock: Clock, rand: Rand, share: int) -> Venue:
    from predsurv.venues.polymarket.venue import PolymarketVenue

    return PolymarketVenue(config, clock, rand, share=share)


def _kalshi(config: Config, clock: Clock, rand: Rand, share: int) -> Venue:
    from predsurv.venues.kalshi.auth import load_signer
    from predsurv.venues.kalshi.venue import KalshiVenue

    return KalshiVenue(config, clock, rand, load_signer(clock), share=share)


_ADAPTERS: Final[dict[str, Callable[[Config, Clock, Rand, int], Venue]]] = {
    "polymarket": _polymarket,
    "kalshi": _kalshi,
    "mock": _mock,
}

VENUES: Final = tuple(_ADAPTERS)
"""Every venue name that the configuration and the command line accept."""


def known_feed(name: str) -> KnownFeed | None:
    """Return what is known of the messages of a venue's public feed, None of the made-up one.

    Raises ConfigError where there is no such venue.
    """
    check_venue(name)
    if name == "polymarket":
        from predsurv.venues.polymarket.known_messages import POLYMARKET_FEED

        return POLYMARKET_FEED
    if name == "kalshi":
        from predsurv.venues.kalshi.known_messages import KALSHI_FEED

        return KALSHI_FEED
    return None


async def _polymarket_account(config: Config, clock: Clock, rand: Rand) -> VenueAccount:
    from predsurv.venues.polymarket.execution.opening import open_account

    return await open_account(config, clock, rand)


async def _kalshi_account(config: Config, clock: Clock, rand: Rand) -> VenueAccount:
    from predsurv.venues.kalshi.execution.opening import open_account

    return await open_account(config, clock, rand)


_ACCOUNTS: Final[dict[str, Callable[[Config, Clock, Rand], Awaitable[VenueAccount]]]] = {
    "polymarket": _polymarket_account,
    "kalshi": _kalshi_account,
}

EXECUTING: Final = tuple(_ACCOUNTS)
"""The venues on which real orders can be placed."""


async def open_account(name: str, config: Config, clock: Clock, rand: Rand = system_random) -> VenueAccount:
    """Return the account at a venue of the key in the environment, logged in.

    Raises ConfigError where there is no key or no such venue, and what logging in raises.
    """
    check_venue(name)
    if name not in _ACCOUNTS:
        raise ConfigError(f"{name} takes no real orders; {' and '.join(EXECUTING)} do")
    return await _ACCOUNTS[name](config, clock, rand)


def enabled_venues(config: Config) -> Sequence[str]:
    """Return the venues to use when the user names none: the mock one alone when it is enabled."""
    if config.mock.enabled:
        return ("mock",)
    enabled = {"polymarket": config.venues.polymarket.enabled, "kalshi": config.venues.kalshi.enabled}
    return tuple(name for name in enabled if enabled[name])


def check_venue(name: str) -> None:
    """Raise ConfigError when there is no venue called ``name``."""
    if name not in VENUES:
        near = get_close_matches(name, VENUES, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ConfigError(f"no venue is called {sanitise(name, 40)!r}; {hint}there are: {', '.join(VENUES)}")


def open_venue(name: str, config: Config, clock: Clock, rand: Rand = system_random, *, share: int = 1) -> Venue:
    """Return the venue called ``name``; while the mock is enabled, every name opens the mock.

    ``rand`` gives jitter in [0, 1). Listings take one part in ``share`` of the venue's request limit, so that another
    process may take the rest. Raises ConfigError when there is no such venue, or its credentials are unusable.
    """
    check_venue(name)
    return _ADAPTERS["mock" if config.mock.enabled else name](config, clock, rand, share)
