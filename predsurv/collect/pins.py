"""The names in ``collector.pinned``: each has to name a market or an instrument of a venue's newest universe.

A name that ends with "?" may be listed only later; it is taken up when the venue announces it.
"""

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from predsurv.collect.selection.candidates import LATER, names_of
from predsurv.core.ids import ID_CHARS_MAX, VenueName
from predsurv.core.market import Market
from predsurv.core.text import sanitise
from predsurv.store.universe import latest_universe, read_universe
from predsurv.venues.registry import VENUES

NEAR_MAX: Final = 200
"""Names with the longest common beginning that are looked at for the nearest one."""

_NAME_CHARS_MAX: Final = ID_CHARS_MAX + 20


class PinnedNames:
    """The pins of one venue that no market seen so far answers to."""

    def __init__(self, pins: Iterable[str], venue: VenueName) -> None:
        self._missing = {name for name in pins if name.startswith(f"{venue}:") and not name.endswith(LATER)}

    def see(self, market: Market) -> None:
        """Strike off the names of ``market`` and its instruments."""
        if self._missing:
            self._missing.difference_update(name for key in market.keys() for name in names_of(key))  # noqa: SIM118

    def complaints(self, universe: Path) -> Iterator[str]:
        """Yield what is wrong with each name that is left, and what to do; ``universe`` is where they were sought."""
        for name in sorted(self._missing):
            near = _nearest(name, universe)
            hint = f"did you mean {sanitise(near, _NAME_CHARS_MAX)}?" if near else "run 'predsurv scan' again"
            yield (
                f"collector.pinned: {sanitise(name, _NAME_CHARS_MAX)!r} names nothing in {universe}; {hint} "
                f'(write "{sanitise(name, _NAME_CHARS_MAX)}{LATER}" for one that is listed only later)'
            )


def malformed_pins(pins: Iterable[str]) -> list[str]:
    """Return what is wrong with the names that are not of the form ``venue:id``."""
    found = []
    for name in pins:
        venue, colon, rest = name.partition(":")
        if not colon or not rest.removesuffix(LATER):
            found.append(f'collector.pinned: {sanitise(name, 80)!r} is not of the form "venue:id"')
        elif venue not in VENUES:
            near = get_close_matches(venue, VENUES, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(VENUES)}"
            found.append(f"collector.pinned: no venue is called {sanitise(venue, 40)!r}; {hint}")
    return found


def unknown_pins(pins: Sequence[str], data_dir: Path, venues: Iterable[str]) -> list[str]:
    """Return what is wrong with each of ``pins`` of ``venues``, those of venues without a universe left out."""
    complaints = malformed_pins(pins)
    for venue in map(VenueName, venues):
        path = latest_universe(data_dir, venue)
        names = PinnedNames(pins, venue)
        if path is not None:
            for market in read_universe(path):
                names.see(market)
            complaints += names.complaints(path)
    return complaints


def _common_length(one: str, other: str) -> int:
    """Return how many characters two texts have in common at their beginnings."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _nearest(name: str, universe: Path) -> str | None:
    """Return the name in ``universe`` that is most like ``name``, None without one that is like it."""
    best: list[tuple[int, str]] = []
    for market in read_universe(universe):
        for key in market.keys():  # noqa: SIM118 - a market is no mapping
            best += ((_common_length(name.upper(), each.upper()), each) for each in names_of(key))
        if len(best) > 4 * NEAR_MAX:
            best = sorted(best, reverse=True)[:NEAR_MAX]
    names = [each for _, each in sorted(best, reverse=True)[:NEAR_MAX]]
    folded = {each.upper(): each for each in reversed(names)}
    near = get_close_matches(name.upper(), folded, n=1)
    return folded[near[0]] if near else None
