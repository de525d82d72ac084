"""What the accounts of live runs are called: one journal for each set of venues that are traded on together."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from predsurv.config import Config
from predsurv.config.hosts import is_loopback
from predsurv.core.ids import VenueName
from predsurv.trade.journal_path import journal_path

_LIVE: Final = "live-"
_SHADOW: Final = "shadow-"
_AND: Final = "-and-"


def live_mode(config: Config, *venues: VenueName) -> str:
    """Return the name of the account at venues: one of a simulator on this machine is kept apart."""
    return _LIVE + _AND.join(sorted(_venue_account(config, venue) for venue in venues))


def shadow_mode(config: Config, *venues: VenueName) -> str:
    """Return the mode of runs that send nothing of what they make for the accounts of ``live_mode``."""
    return live_mode(config, *venues).replace(_LIVE, _SHADOW, 1)


def is_live(mode: str) -> bool:
    """Return whether runs of a mode really order."""
    return mode.startswith(_LIVE)


def is_shadow(mode: str) -> bool:
    """Return whether runs of a mode make orders for a real account and send none."""
    return mode.startswith(_SHADOW)


def live_journals(config: Config, venue: VenueName) -> Iterator[Path]:
    """Yield the journals there are of what was traded with the account at a venue: alone first, then with others."""
    wanted = _venue_account(config, venue)
    alone = journal_path(config.data_dir, _LIVE + wanted)
    for path in sorted(alone.parent.glob(f"{_LIVE}*.db"), key=lambda each: (each != alone, each)):
        if wanted in _accounts_of(path.stem):
            yield path


def _accounts_of(mode: str) -> Iterable[str]:
    return mode.removeprefix(_LIVE).split(_AND)


def _venue_account(config: Config, venue: VenueName) -> str:
    places = config.venues.polymarket.clob_url if venue == "polymarket" else config.venues.kalshi.rest_url
    return f"{venue}{'-local' if is_loopback(urlsplit(places).hostname or '') else ''}"
