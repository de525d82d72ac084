"""The checks of ``predsurv doctor --venue``: does the venue still send what this version knows?"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from predsurv.cli.commands.checks import HealthCheck
from predsurv.cli.output.columns import TEXT_CHARS_MAX
from predsurv.cli.output.render import Column, Table, Value
from predsurv.config import Config
from predsurv.core.errors import ConfigError
from predsurv.core.ids import VenueName
from predsurv.core.text import sanitise
from predsurv.store.feed_notes import feed_notes
from predsurv.store.layout import FOLDERS, Dataset, Layout, is_date
from predsurv.store.read.filled_columns import FilledColumn, filled_columns
from predsurv.store.universe import iso_second
from predsurv.venues.registry import known_feed
from predsurv.venues.spec_drift import DriftReport, KnownFeed, MessageDrift, compare

_STEP: Final = "predsurv may misread it: look for a newer version, or report it with this table"
_FILE_BYTES_MAX: Final = 1 << 28
_CHANNELS: Final[tuple[Dataset, ...]] = ("deltas", "trades", "lifecycle")
_RECEIVED: Final = "ts_recv"
_COLUMNS: Final = (
    Column("kind", "Kind", keep=9),
    Column("messages", "Messages", "int", keep=9),
    Column("unknown_fields", "Unknown fields", keep=9, width_max=TEXT_CHARS_MAX, fit="wrap", if_any=True),
    Column("missing_fields", "Missing fields", keep=9, width_max=TEXT_CHARS_MAX, fit="wrap", if_any=True),
    Column("unknown_values", "Unknown values", keep=9, width_max=TEXT_CHARS_MAX, fit="wrap", if_any=True),
    Column("new", "New kind", keep=9, if_any=True),
)


class DriftFinding(NamedTuple):
    """The checks of one venue, and the messages seen as a table; None of a venue without messages of its own."""

    checks: Sequence[HealthCheck]
    table: Table | None


class _SentFrames(NamedTuple):
    frames: Sequence[bytes]
    where: str
    unknown: Mapping[str, int]
    malformed: int


def drift_of(config: Config, venue: str, frames: Path | None) -> DriftFinding:
    """Return how what a venue sent differs from what is known of it: raw frames, kinds, recorded columns.

    ``frames``: a file of them, one a line, in place of those that collectors sampled. Raises ConfigError where it
    cannot be read, and where there is no such venue.
    """
    known, name = known_feed(venue), VenueName(venue)
    if known is None:
        return DriftFinding([HealthCheck("messages", "ok", f"{venue} is made up here: it sends what it is to")], None)
    seen = _sampled(config, name) if frames is None else _SentFrames(_lines(frames), str(frames), {}, 0)
    found = compare(seen.frames, known)
    checks = [
        _sample(name, seen, found),
        *_kinds(seen, found),
        *map(_drifted, filter(_is_changed, found.seen)),
    ]
    if frames is None:
        checks += _columns(config.data_dir, name, known)
    return DriftFinding(checks, _table(name, found))


def _sampled(config: Config, venue: VenueName) -> _SentFrames:
    notes = feed_notes(Layout(config.data_dir), venue)
    frames = [frame.encode() for note in notes for frame in note.frames]
    unknown: Counter[str] = Counter()
    for note in notes:
        unknown.update(note.unknown)
    if not notes:
        return _SentFrames((), "", {}, 0)
    first, last = min(note.since for note in notes), max(note.until for note in notes)
    where = f"sampled from {iso_second(first)} to {iso_second(last)}"
    return _SentFrames(frames, where, unknown, sum(note.malformed for note in notes))


def _lines(path: Path) -> list[bytes]:
    try:
        if path.stat().st_size > _FILE_BYTES_MAX:
            raise ConfigError(f"--frames: {path} is larger than {_FILE_BYTES_MAX >> 20} MiB; give a part of it")
        return [line for line in path.read_bytes().splitlines() if line.strip()]
    except OSError as error:
        raise ConfigError(f"--frames: {sanitise(str(path), 200)}: {error.strerror}") from None


def _sample(venue: VenueName, seen: _SentFrames, found: DriftReport) -> HealthCheck:
    if not seen.frames:
        step = "'predsurv collect' samples the messages that it streams (Kalshi's need a key); or give --frames FILE"
        return HealthCheck("messages", "warn", f"nothing is kept of what {venue} sent", step)
    count = sum(each.messages for each in found.seen)
    told = f"{count:,} in {len(seen.frames):,} frames, {seen.where}"
    if found.unseen:
        told += f"; not among them: {', '.join(found.unseen)}"
    if found.unreadable:
        return HealthCheck("messages", "warn", f"{told}; {found.unreadable:,} are no JSON objects", _STEP)
    return HealthCheck("messages", "ok", told)


def _kinds(seen: _SentFrames, found: DriftReport) -> Iterator[HealthCheck]:
    """Tell of the kinds that nobody knows: of all that came while recording, and of those among the frames."""
    unknown = Counter({each.kind: each.messages for each in found.seen if not each.known}) | Counter(seen.unknown)
    if unknown:
        yield HealthCheck("kinds", "warn", f"not known: {_counted(unknown)}", _STEP)
    elif seen.frames:
        yield HealthCheck("kinds", "ok", "every message is of a kind that is known")
    if seen.malformed:
        yield HealthCheck("form", "warn", f"{seen.malformed:,} messages were not in their documented form", _STEP)


def _is_changed(drift: MessageDrift) -> bool:
    return drift.known and drift.is_drift


def _drifted(drift: MessageDrift) -> HealthCheck:
    parts = [
        f"{what}: {_counted(counts)}"
        for what, counts in (
            ("fields not known", drift.unknown_fields),
            ("fields missing", drift.missing_fields),
            ("values not known", drift.unknown_values),
        )
        if counts
    ]
    return HealthCheck(drift.kind, "warn", "; ".join(parts), _STEP)


def _columns(data_dir: Path, venue: VenueName, known: KnownFeed) -> Iterator[HealthCheck]:
    """Tell which channels have rows on the last day that was recorded, and what those rows do not say."""
    date = _last_date(data_dir, venue)
    if date is None:
        return
    rows = {
        dataset: next((each.rows for each in filled_columns(data_dir, venue, date, dataset, (_RECEIVED,))), 0)
        for dataset in _CHANNELS
    }
    told = ", ".join(f"{count:,} rows of {dataset}" for dataset, count in rows.items())
    yield HealthCheck("channels", "ok", f"in the last hour of {date}: {told}")
    found = [
        each
        for dataset, columns in known.filled.items()
        for each in filled_columns(data_dir, venue, date, dataset, columns)
        if each.rows
    ]
    lacking = [each for each in found if each.empty]
    if lacking:
        yield HealthCheck("columns", "warn", f"in the last hour of {date} {'; '.join(map(_lack, lacking))}", _STEP)
    elif found:
        names = ", ".join(f"{each.dataset}.{each.column}" for each in found)
        yield HealthCheck("columns", "ok", f"in the last hour of {date} every row says {names}")


def _last_date(data_dir: Path, venue: VenueName) -> str | None:
    days = (data_dir / FOLDERS["deltas"] / f"venue={venue}").glob("date=*")
    return max((date for date in (day.name.partition("=")[2] for day in days) if is_date(date)), default=None)


def _lack(each: FilledColumn) -> str:
    return f"{each.empty:,} of {each.rows:,} rows of {each.dataset} say no {each.column}"


def _table(venue: VenueName, found: DriftReport) -> Table:
    rows: list[Sequence[Value]] = [
        (
            each.kind,
            each.messages,
            _counted(each.unknown_fields),
            _counted(each.missing_fields),
            _counted(each.unknown_values),
            not each.known,
        )
        for each in found.seen
    ]
    return Table("messages", f"Messages of {venue}", _COLUMNS, rows, empty="none are kept")


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({count:,})" for name, count in counts.items())
