"""``predsurv scan --diff``: what became of the markets between two lists."""

import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from predsurv.cli.commands.dates import say_missing, span_of
from predsurv.cli.commands.venue_names import require_venue
from predsurv.cli.options import Format
from predsurv.cli.output.render import Column, Table, Value, say, show
from predsurv.core.errors import ConfigError
from predsurv.core.ids import VenueName
from predsurv.core.num import parse_micros
from predsurv.core.text import sanitise
from predsurv.scan.changes import CHANGES, ChangeOfListing, ListingChange, changes
from predsurv.store.universe import universe_files, universe_venues

SHOWN_OF_A_KIND: Final = 12
"""Changes of a kind that people see: those of the markets that trade most; programs get all."""

_WHAT_CHARS_MAX: Final = 50_000  # rules are read to their end

_COLUMNS: Final = (
    Column("change", "Change", keep=9, fit="whole"),
    Column("question", "Market", keep=9),
    Column("what", "What", keep=9, width_min=36, width_max=120, fit="wrap", chars_max=_WHAT_CHARS_MAX),
    Column("volume_24h", "Volume 24 h", "micros", "$", places=0, keep=4),
    Column("market_id", "Id", keep=6, width_min=16),
    Column("event_id", "Event", keep=1),
    Column("venue", "Venue", keep=5, fit="whole"),
)


class _ComparedLists(NamedTuple):
    """The lists of a venue to compare: the last one before the days, and the last one of them."""

    before: Path
    after: Path


def show_changes(data_dir: Path, venues: Sequence[str] | None, dates: str, form: Format) -> None:
    """Print what changed of the markets of ``venues`` (None: all that were scanned) in the days ``dates``.

    Raises ConfigError where none of them has a list of these days.
    """
    for name in venues or ():
        require_venue(data_dir, name)
    days = span_of(dates).dates()
    found: list[ListingChange] = []
    compared: list[str] = []
    for name in venues or universe_venues(data_dir):
        lists = _lists(data_dir, VenueName(name), days)
        if lists is not None:
            first, last = (path.parent.name.removeprefix("date=") for path in lists)
            compared.append(f"{name}: {first} to {last}" if first != last else f"{name}: within {last}")
            found += changes(lists.before, lists.after)
    if not compared:
        there = sorted({day for name in universe_venues(data_dir) for day in universe_files(data_dir, name)})
        have = f"there are lists of {', '.join(there[-3:])}" if there else "run 'predsurv scan' first"
        raise ConfigError(f"no list of markets of {sanitise(dates, 40)} in {data_dir}; {have}")
    show(changes_table(found, compared, everything=form != "table"), form)


def _lists(data_dir: Path, venue: VenueName, days: Sequence[str]) -> _ComparedLists | None:
    files = universe_files(data_dir, venue)
    within = [day for day in files if days[0] <= day <= days[-1]]
    if not within:
        return None
    say_missing(days, within)
    earlier = [day for day in files if day < days[0]]
    if not earlier:
        say(f"{venue}: no list is older than {within[0]}, so that what was there at first is not told from what is new")
    return _ComparedLists(files[earlier[-1] if earlier else within[0]], files[within[-1]])


def changes_table(found: Iterable[ListingChange], compared: Sequence[str], *, everything: bool) -> Table:
    """Return changes by kind, of a kind those of the markets that trade most; with ``everything`` all of them."""
    kinds: dict[ChangeOfListing, list[ListingChange]] = {kind: [] for kind in CHANGES}
    for each in found:
        kinds[each.kind].append(each)
    counts = Counter({kind: len(each) for kind, each in kinds.items()})
    best = [
        row
        for of_kind in kinds.values()
        for row in heapq.nlargest(len(of_kind) if everything else SHOWN_OF_A_KIND, of_kind, key=_volume)
    ]
    told = ", ".join(f"{count:,} {kind}" for kind, count in counts.items() if count)
    note = f"{told}; {'; '.join(compared)}"
    if len(best) < counts.total():
        note += f"; of each kind the {SHOWN_OF_A_KIND} that trade most, all with --format json, jsonl or csv"
    empty = f"nothing changed; {'; '.join(compared)}"
    return Table("changes", "Changes of the lists", _COLUMNS, [_row(each) for each in best], note, empty=empty)


def _volume(change: ListingChange) -> int:
    try:
        return parse_micros(change.volume_24h or "0")
    except ValueError:  # what cannot be read ranks last
        return 0


def _row(change: ListingChange) -> Sequence[Value]:
    volume = None if change.volume_24h is None else _volume(change)
    return change.kind, change.question, change.what, volume, change.market_id, change.event_id, change.venue
