"""``predsurv import``: record the files of somebody else's recording by our rules."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from predsurv.cli.options import ConfigFile, OutputFormat, with_config
from predsurv.cli.output.progress import progress_line
from predsurv.cli.output.render import Column, Table, say, show
from predsurv.config import load
from predsurv.core.durations import parse_duration
from predsurv.core.errors import ConfigError, SafetyError
from predsurv.core.ids import VenueName
from predsurv.core.text import sanitise
from predsurv.interchange.foreign_recording import ForeignRecording
from predsurv.interchange.importer import ImportReport, import_recording
from predsurv.interchange.pmxt import PmxtFiles
from predsurv.interchange.tables import COLUMNS, OPTIONAL, TableFiles
from predsurv.net.clock import SystemClock
from predsurv.store.layout import date_of
from predsurv.venues.registry import check_venue

FORMATS: Final = ("pmxt", "parquet", "jsonl")

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
        str | None, typer.Option("--venue", help="Whose markets they are; pmxt has only Polymarket's.")
    ] = None,
    market: Annotated[
        list[str] | None, typer.Option("--market", metavar="ID", help="Only this market; again for more.")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option("--column", metavar="OURS=THEIRS", help="Their name of a column, for parquet and jsonl."),
    ] = None,
    silent_after: Annotated[
        str, typer.Option("--silent-after", metavar="TIME", help="Nothing at all for longer than this is a gap.")
    ] = "60s",
    config: ConfigFile = None,
    format: OutputFormat = "table",
) -> None:
    """Record the files of another recording: books, changes, trades, and the time that was observed by a stated rule.

    An instrument counts as observed from its first whole book to its last event, except while nothing of any was
    received for longer than --silent-after. Names of markets come from universe.jsonl where it has them.
    """
    settings = load(config).config
    if settings.bucket:
        raise SafetyError("an import writes to a local folder: set data_dir to one, and upload what was verified")
    source = _source(format_name, _files(format_name, paths), venue, market or (), _renamed(column or ()))
    duration = parse_duration(silent_after)
    with progress_line() as update:
        report = import_recording(
            source,
            settings.data_dir,
            duration,
            SystemClock(),
            lambda read, of, name: update(("import", f"{read} of {of} files read  {name}")),
        )
    show(_table(report, silent_after), format)
    days = "..".join(dict.fromkeys((date_of(report.since), date_of(report.until))))
    for command in ("predsurv verify --deep", f"predsurv mine {report.venue} {days}"):
        say(f"next: {with_config(command, config)}")


def _source(
    name: str, files: Sequence[Path], venue: str | None, markets: Sequence[str], renamed: dict[str, str]
) -> ForeignRecording:
    if name == "pmxt":
        if renamed or venue not in (None, "polymarket"):
            raise ConfigError("pmxt has its own columns, and Polymarket's markets: leave --column and --venue out")
        return PmxtFiles(files, markets)
    if venue is None:
        raise ConfigError("whose markets are they? name the venue: --venue polymarket")
    check_venue(venue)
    return TableFiles(name, VenueName(venue), files, renamed, markets)


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
    note = f"observed from the first whole book to the last event, less silences of over {silent_after}"
    return Table("imported", "Imported", _COLUMNS, [row], note)
