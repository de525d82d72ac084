"""When what is seen of a data folder is worth an alarm: pure, so that every rule can be tested without waiting.

The rules look from outside, at locks, logs, flags and the disk: a process that has died alarms, too.
"""

from collections.abc import Iterator, Mapping
from typing import Final, Literal, NamedTuple

from msgspec import Struct

AlertKind = Literal["collector_stopped", "books_lost", "disk_low", "trading_halted", "resolved"]
"""``collector_stopped``: one that ran runs no more. ``books_lost``: too many wanted books are not known. ``disk_low``.
``trading_halted``. ``resolved``: a recorded market has settled, or is void. All but the last one may be over again."""

HOLD: Final = 60_000_000_000
"""How long (ns) books have to be lost before that is told: a connection that is renewed takes less."""


class BookCount(NamedTuple):
    """How many books a collector wants, and how many of them it knows."""

    wanted: int
    known: int


class ResolvedMarket(NamedTuple):
    """A market that has settled: ``paid`` in words; ``question``: empty where no list has it."""

    venue: str
    market_id: str
    paid: str
    question: str = ""


class Sighting(Struct, frozen=True):
    """What is seen at ``at`` (ns UTC): books by collector that runs, free bytes, why trading is halted, settlements."""

    at: int
    collectors: Mapping[str, BookCount]
    disk_free: int
    halt: str | None = None
    resolved: tuple[ResolvedMarket, ...] = ()


class AlertLimits(NamedTuple):
    """Alarm when a share (micros) of the wanted books is lost that is greater, or fewer bytes are free."""

    gap_share: int
    disk_free: int


class Alert(Struct, frozen=True):
    """Something to be told; ``over``: it was, and has ended. ``subject``: the collector, market or folder."""

    kind: AlertKind
    at: int
    subject: str
    message: str
    over: bool = False


class AlertRules:
    """Tells what is new from one sighting to the next; a state that lasts is told once, and once more when it ends."""

    def __init__(self, limits: AlertLimits) -> None:
        self._limits = limits
        self._told: dict[tuple[AlertKind, str], str] = {}
        self._since: dict[str, int] = {}  # when books of a collector were found lost
        self._seen: frozenset[str] = frozenset()

    def look(self, seen: Sighting) -> list[Alert]:
        """Return what is to be told of ``seen``."""
        holds = dict(self._states(seen))
        found = [
            Alert(kind, seen.at, subject, message)
            for (kind, subject), message in holds.items()
            if (kind, subject) not in self._told
        ]
        found += [
            Alert(kind, seen.at, subject, f"over: {message}", over=True)
            for (kind, subject), message in self._told.items()
            if (kind, subject) not in holds
        ]
        found += [
            Alert("resolved", seen.at, f"{each.venue}:{each.market_id}", f"{_named(each)} has settled: {each.paid}")
            for each in seen.resolved
        ]
        self._told = holds
        return found

    def _states(self, seen: Sighting) -> Iterator[tuple[tuple[AlertKind, str], str]]:
        self._seen |= frozenset(seen.collectors)
        for name in sorted(self._seen - frozenset(seen.collectors)):
            yield ("collector_stopped", name), f"collector {name} does not run any more"
        yield from self._lost(seen)
        if seen.disk_free < self._limits.disk_free:
            yield ("disk_low", "disk"), f"only {seen.disk_free // 1_000_000:,} MB are free"
        if seen.halt is not None:
            yield ("trading_halted", "trading"), seen.halt

    def _lost(self, seen: Sighting) -> Iterator[tuple[tuple[AlertKind, str], str]]:
        lost = {
            name: count.wanted - count.known
            for name, count in seen.collectors.items()
            if (count.wanted - count.known) * 1_000_000 > count.wanted * self._limits.gap_share
        }
        self._since = {name: self._since.get(name, seen.at) for name in lost}
        for name, since in self._since.items():
            if seen.at - since >= HOLD:
                yield ("books_lost", name), f"{lost[name]:,} of {seen.collectors[name].wanted:,} books are not known"


def _named(market: ResolvedMarket) -> str:
    return f"{market.question} ({market.market_id})" if market.question else market.market_id
