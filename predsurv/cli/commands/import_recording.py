"""``predsurv import``: record the files of somebody else's recording by our rules."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import typer

from predsurv.cli.commands.dates import span_of
from predsurv.cli.options import ConfigFile, OutputFormat, with_config
from predsurv.cli.output.progress import progress_line
from predsurv.cli.output.render import Column, Table, say, show
from predsurv.config import load
from predsurv.core.durations import parse_duration
from predsurv.core.errors import ConfigError, SafetyError
from predsurv.core.ids import VenueName
from predsurv.core.text import sanitise
from predsurv.interchange.becker import BeckerFiles
from predsurv.interchange.foreign_recording import END_OF_TIME, ForeignRecording
from predsurv.interchange.importer import ImportReport, import_recording
from predsurv.interchange.pmxt import PmxtFiles
from predsurv.interchange.tables import COLUMNS, OPTIONAL, TableFiles
from predsurv.interchange.telonex import TelonexFiles
from predsurv.net.clock import SystemClock
from predsurv.store.layout import date_of
from predsurv.venues.registry import check_venue

FORMATS: Final = ("pmxt", "telonex", "becker", "parquet", "jsonl")
_OF_POLYMARKET: Final = ("pmxt", "telonex")
_SILENT_AFTER: Final = {"becker": "1h"}
"""By default, where it is not a minute: an archive of trades alone is quiet for longer."""

_COLUMNS: Final = (
    Column("collector", "Collector", keep=9),
    Column("markets", "Markets", "int", keep=8),
    Column("instruments", "Instruments", "int", keep=7),
    Column("rows", "Rows", "int", keep=6),
    Column("orphans", "Changes of unknown books", "int", keep=5),
    Column("silences", "Silences", "int", keep=5),
    Column("silent", "Silent", "duration", keep=5),
    Column("since", "From", "time", "UTC", keep=8),
    Column("until", "Until", "time", "UTC", keep=8),
)


def import_command(
    format_name: Annotated[str, typer.Argument(metavar="FORMAT", help=f"One of {', '.join(FORMATS)}.")],
    paths: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files, or folders of them.")],
    *,
    venue: Annotated[
        str | None, typer.Option("--venue", help="Whose markets they are; pmxt and telonex have only Polymarket's.")
    ] = None,
    market: Annotated[
        list[str] | None, typer.Option("--market", metavar="ID", help="Only this market; again for more.")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option("--column", metavar="OURS=THEIRS", help="Their name of a column, for parquet and jsonl."),
    ] = None,
    dates: Annotated[
        str | None, typer.Option("--dates", metavar="DATE[..DATE]", help="Only these UTC days, of becker.")
    ] = None,
    silent_after: Annotated[
        str | None,
        typer.Option("--silent-after", metavar="TIME", help="Nothing at all for longer is a gap; 60s, of becker 1h."),
    ] = None,
    config: ConfigFile = None,
    format: OutputFormat = "table",
) -> None:
    """Record the files of another recording: books, changes, trades, and the time that was observed by a stated rule.

    An instrument counts as observed from its first whole book to its last event, except while for longer than
    --silent-after nothing of any was received. Names of markets come from universe.jsonl where it has them. becker has
    trades and no books: no book counts as observed, and trades do in the hours from a market's first to its last.
    """
    settings = load(config).config
    if settings.bucket:
        raise SafetyError("an import writes to a local folder: set data_dir to one, and upload what was verified")
    said = silent_after or _SILENT_AFTER.get(format_name, "60s")
    duration = parse_duration(said)
    files = _files(format_name, paths)
    if dates is not None and format_name != "becker":
        raise ConfigError("--dates is for becker, whose files hold trades of any day: name the files of the days")
    source = _source(format_name, files, venue, _Wanted(market or (), _renamed(column or ()), duration, dates))
    with progress_line() as update:
        report = import_recording(
            source,
            settings.data_dir,
            duration,
            SystemClock(),
            lambda read, of, name: update(("import", f"{read} of {of} files read  {name}")),
        )
    show(_table(report, said), format)
    _say(report, config)


def _say(report: ImportReport, config: str | None) -> None:
    """Say what was not taken, what is not known, and what comes next."""
    for why, number in report.left_out.items():
        if number:
            say(f"left out: {number:,} rows {why}")
    if not report.books:
        say("trades only, no book: nothing can be filled in a backtest, and what is of books is unknown")
    days = "..".join(dict.fromkeys((date_of(report.since), date_of(report.until))))
    for command in ("predsurv verify --deep", f"predsurv mine {report.venue} {days}"):
        say(f"next: {with_config(command, config)}")


class _Wanted(NamedTuple):
    """What of the files is wanted, and their names of our columns."""

    markets: Sequence[str]
    renamed: dict[str, str]
    silent_after: int
    dates: str | None


def _source(name: str, files: Sequence[Path], venue: str | None, wanted: _Wanted) -> ForeignRecording:
    if wanted.renamed and name not in ("parquet", "jsonl"):
        raise ConfigError(f"{name} has its own columns: leave --column out")
    if name in _OF_POLYMARKET:
        if venue not in (None, "polymarket"):
            raise ConfigError(f"{name} has Polymarket's markets: leave --venue out")
        if name == "pmxt":
            return PmxtFiles(files, wanted.markets)
        return TelonexFiles(files, wanted.silent_after, wanted.markets)
    if venue is None:
        raise ConfigError("whose markets are they? name the venue: --venue polymarket")
    check_venue(venue)
    if name == "becker":
        if venue not in ("kalshi", "polymarket"):
            raise ConfigError("becker has trades of kalshi and of polymarket: --venue kalshi")
        span = None if wanted.dates is None else span_of(wanted.dates)
        since, until = (0, END_OF_TIME) if span is None else (span.start, span.end)
        return BeckerFiles(VenueName(venue), files, wanted.markets, since, until)
    return TableFiles(name, VenueName(venue), files, wanted.renamed, wanted.markets)


def _files(name: str, paths: Sequence[Path]) -> list[Path]:
    if name not in FORMATS:
        raise ConfigError(f"no format {sanitise(name, 40)!r} to import; there are {', '.join(FORMATS)}")
    suffix = ".jsonl" if name == "jsonl" else ".parquet"
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(path.rglob(f"*{suffix}"))
        elif path.is_file():
            found.append(path)
        else:
            raise ConfigError(f"no file {path}")
    if not found:
        raise ConfigError(f"no {suffix} file in {', '.join(map(str, paths))}")
    return found


def _renamed(given: Sequence[str]) -> dict[str, str]:
    renamed = {}
    for each in given:
        ours, equals, theirs = each.partition("=")
        if not equals or ours not in (*COLUMNS, *OPTIONAL):
            raise ConfigError(
                f"--column {sanitise(each, 60)!r}: OURS=THEIRS with one of {', '.join((*COLUMNS, *OPTIONAL))}"
            )
        renamed[ours] = theirs
    return renamed


def _table(report: ImportReport, silent_after: str) -> Table:
    row = [getattr(report, each.key) for each in _COLUMNS]
    begin = "whole book to the last event" if report.books else "trade of a market to its last, in whole hours"
    note = f"observed from the first {begin}, less silences of over {silent_after}"
    return Table("imported", "Imported", _COLUMNS, [row], note)
