"""``predsurv book``: the ladder of a market at a moment, and how far it can be trusted."""

from collections.abc import Iterator, Sequence
from itertools import accumulate, zip_longest
from typing import Annotated, Final

import typer

from predsurv.api.books import BookAt, book_at
from predsurv.api.fetching import fetch_span
from predsurv.api.recorded import CoveragePiece, coverage_pieces
from predsurv.api.times import to_span
from predsurv.cli.commands.dates import moment_of
from predsurv.cli.commands.venue_names import require_venue
from predsurv.cli.options import ConfigFile, Mock, OutputFormat, mock_flag
from predsurv.cli.output.render import Column, Table, Value, say, show
from predsurv.config import Config, load
from predsurv.core.errors import ConfigError
from predsurv.core.events import Level
from predsurv.core.num import MICROS
from predsurv.core.text import sanitise
from predsurv.mine.recorded_days import recorded_days
from predsurv.scan.search import SearchLine, find_one
from predsurv.store.layout import NS_HOUR
from predsurv.store.read.recording import ReplaySpan
from predsurv.store.universe import iso_second

_LEVELS: Final = 10
_CENT: Final = 10_000
_DAYS_SEARCHED_MAX: Final = 31
"""Recorded days, newest first, in which the last moment of a market is looked for."""

_BOOK: Final = (
    Column("trusted", "Trusted", keep=9),
    Column("why_not", "Why not", keep=9, fit="wrap", if_any=True),
    Column("coverage", "Coverage", keep=9, fit="whole"),
    Column("since", "Since", "time", "UTC", keep=7),
    Column("until", "Until", "time", "UTC", keep=7),
    Column("age_s", "Last change", "duration", "before", keep=8),
    Column("mid", "Mid", "decimal", "$", only="machine"),
    Column("spread", "Spread", "micros", "$", only="machine"),
    Column("venue", "Venue", only="machine"),
    Column("market_id", "Market", only="machine"),
    Column("instrument_id", "Instrument", only="machine"),
    Column("outcome", "Outcome", only="machine"),
    Column("question", "Question", only="machine"),
    Column("at", "At", "time", "UTC", only="machine"),
    Column("ts", "Last change", "time", "UTC", only="machine"),
)


def book(
    market: Annotated[str, typer.Argument(metavar="MARKET", help="An id, the end of a link, or words of the title.")],
    config: ConfigFile = None,
    format: OutputFormat = "table",
    *,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="UTC: 2026-01-31T12:00:05, 12:00 of today; default: the last known."),
    ] = None,
    outcome: Annotated[
        str | None, typer.Option("--outcome", metavar="LABEL", help="Whose book; default: the first outcome's.")
    ] = None,
    levels: Annotated[int, typer.Option("--levels", min=1, metavar="N", help="Most levels of a side.")] = _LEVELS,
    venue: Annotated[str | None, typer.Option("--venue", metavar="VENUE", help="Only of this venue.")] = None,
    mock: Mock = False,
) -> None:
    """Show the exact recorded book of a market at a moment: its ladder, whether it was known then, and why not."""
    settings = load(config, flags=mock_flag(mock)).config
    require_venue(settings.data_dir, venue)
    line = find_one(settings.data_dir, market, [venue] if venue else ["mock"] if mock else [])
    index = _outcome(line, market, outcome)
    ts = _last_known(settings, line) if at is None else moment_of(at)
    there = book_at(settings, line.venue, line.outcomes[index].instrument_id, ts)
    shown = [_book_table(line, index, there, _interval(settings, line, there)), _ladder(there, levels)]
    show(shown, format)
    more = max(len(there.bids), len(there.asks)) - levels
    if more > 0:
        say(f"{more:,} more levels: --levels {levels + more}")


def _outcome(line: SearchLine, text: str, label: str | None) -> int:
    """Return which outcome is meant: the one of ``label``, or whose id ``text`` is, or else the first."""
    if label is None:
        return next((i for i, each in enumerate(line.outcomes) if each.instrument_id == text), 0)
    for index, each in enumerate(line.outcomes):
        if label.casefold() in (each.label.casefold(), each.instrument_id.casefold()):
            return index
    labels = ", ".join(sanitise(each.label, 40) for each in line.outcomes)
    raise ConfigError(f"{sanitise(line.question, 80)}: no outcome {sanitise(label, 40)!r}; there are {labels}")


def _last_known(config: Config, line: SearchLine) -> int:
    """Return the last moment (ns UTC) at which a book of the market was known; raises ConfigError when it never was."""
    days = [date for date, venue in recorded_days(config.data_dir) if venue == line.venue]
    for day in days[: -_DAYS_SEARCHED_MAX - 1 : -1]:
        pieces = _coverage(config, line, to_span(day, day))
        end = max((each.end for each in pieces if each.state == "covered"), default=None)
        if end is not None:
            return end - 1
    raise ConfigError(
        f"{sanitise(line.question, 80)} ({sanitise(line.market_id, 80)}) was never recorded in "
        f"{config.data_dir}; 'predsurv mine explain' tells what rotation records, collector.pinned what it must"
    )


def _interval(config: Config, line: SearchLine, book: BookAt) -> CoveragePiece | None:
    """Return the coverage of the book at its moment; observed time first where several collectors had it."""
    names = [each.instrument_id for each in line.outcomes]
    found = _coverage(config, line, ReplaySpan(book.at, book.at + 1))
    own = [each for each in found if each.instrument_id in names]
    # The other outcome's row stands for a mirrored book: its own comes first where there is one.
    return min(own, key=lambda it: (it.instrument_id != book.key.instrument_id, it.state != "covered"), default=None)


def _coverage(config: Config, line: SearchLine, span: ReplaySpan) -> Iterator[CoveragePiece]:
    fetch_span(config, line.venue, span)
    return coverage_pieces(config.data_dir, line.venue, span, "market_id", line.market_id)


def _book_table(line: SearchLine, index: int, book: BookAt, known: CoveragePiece | None) -> Table:
    bid, ask = (side[0][0] if side else None for side in (book.bids, book.asks))
    mid, spread = (None, None) if bid is None or ask is None else ((bid + ask) / 2 / MICROS, ask - bid)
    label = line.outcomes[index].label
    restated = _is_restated(book, known)
    changed = 0 if restated else book.ts
    row: Sequence[Value] = (
        "yes" if book.trusted else "NO",
        None if book.trusted else _why_not(book, known),
        "not recorded" if known is None else f"{known.state} ({known.reason})",
        None if known is None else known.start,
        None if known is None else known.end,
        book.at - changed if changed else None,
        mid,
        spread,
        line.venue,
        line.market_id,
        book.key.instrument_id,
        label,
        line.question,
        book.at,
        changed or None,
    )
    title = f"{sanitise(label, 40)}: {sanitise(line.question, 200)} at {iso_second(book.at)}"
    note = f"{line.venue} {sanitise(line.market_id, 80)}"
    if mid is not None and spread is not None:
        note += f"; mid ${mid:g}, spread ${spread / MICROS:g}"
    elif book.trusted:
        note += "; a side of it is empty"
    if restated:
        note += f"; it did not change since {iso_second(book.ts)}, where its hour begins, and maybe for longer"
    return Table("book", title, _BOOK, [row], note)


def _is_restated(book: BookAt, known: CoveragePiece | None) -> bool:
    """Return whether the last event is the book with which every hour begins, which says nothing of a change."""
    return known is not None and known.start < book.ts and book.ts % NS_HOUR == 0


def _why_not(book: BookAt, known: CoveragePiece | None) -> str:
    """Return why the book is not to be relied on, in words."""
    if known is None:
        return "it was not recorded at that time"
    if known.state == "gap":
        return f"a gap: {known.reason}"
    if book.reason:
        return f"lost: {book.reason}"
    return "crossed: the best bid is not below the best ask" if book.bids and book.asks else "no book was sent yet"


def _ladder(book: BookAt, levels: int) -> Table:
    fine = any(price % _CENT for price, _ in (*book.bids, *book.asks))
    places = 4 if fine else 2
    columns = (
        Column("bid_total", "Total", "micros", keep=4, of="bid"),
        Column("bid_size", "Bid size", "micros", keep=8),
        Column("bid", "Bid", "micros", "$", places=places, keep=9),
        Column("ask", "Ask", "micros", "$", places=places, keep=9),
        Column("ask_size", "Ask size", "micros", keep=8),
        Column("ask_total", "Total", "micros", keep=4, of="ask"),
    )
    sides = zip_longest(_side(book.bids[:levels]), _side(book.asks[:levels]), fillvalue=(None, None, None))
    rows: list[Sequence[Value]] = [(*reversed(bid), *ask) for bid, ask in sides]
    note = "sizes in shares; total: of this level and the better ones"
    empty = "the book is empty" if book.trusted else "no level is known"
    return Table("levels", "Ladder", columns, rows, note, empty=empty)


def _side(levels: Sequence[Level]) -> list[tuple[int | None, int | None, int | None]]:
    """Return price, size and the sum of sizes so far, micros, best first."""
    totals = accumulate(size for _, size in levels)
    return [(price, size, total) for (price, size), total in zip(levels, totals, strict=True)]
