"""``predsurv verify``: is what was recorded whole?"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from predsurv.cli.commands.bucket import fetch_first
from predsurv.cli.commands.verify_remote import verify_remote
from predsurv.cli.options import ConfigFile, Mock, OutputFormat, mock_flag
from predsurv.cli.output.columns import TEXT_CHARS_MAX
from predsurv.cli.output.render import Column, Table, Value, show
from predsurv.config import load
from predsurv.core.errors import ConfigError, IntegrityError
from predsurv.store.layout import Layout, has_recording, how_to_record
from predsurv.store.read.verify import DEEP_CHECKS, QUICK_CHECKS, VerifyReport, verify_recording
from predsurv.store.remote.download import DownloadRequest

FINDINGS_SHOWN_MAX: Final = 50

_VERIFIED: Final = (
    Column("dataset", "Dataset", keep=9),
    Column("venue", "Venue", keep=9),
    Column("files", "Files", "int", keep=8),
    Column("rows", "Rows", "int", keep=7),
    Column("bytes", "Size", "bytes", keep=6),
    Column("checks", "Checks", only="machine"),
)
_FINDINGS: Final = (
    Column("check", "Check", keep=9),
    Column("where", "Where", keep=8, width_max=TEXT_CHARS_MAX, fit="wrap"),
    Column("what", "What", keep=9, width_max=TEXT_CHARS_MAX, fit="wrap"),
)
_LACKS: Final = (
    Column("what", "Missing", keep=9, width_max=TEXT_CHARS_MAX, fit="wrap"),
    Column("why", "So", keep=9, width_max=TEXT_CHARS_MAX, fit="wrap"),
)
Deep = Annotated[
    bool, typer.Option("--deep", help="Also fold every hour's changes into books and compare them with the snapshots.")
]
Remote = Annotated[
    bool,
    typer.Option("--remote", help="Compare the bucket with what was uploaded to it instead; downloads no data."),
]


def verify(
    *,
    deep: Deep = False,
    remote: Remote = False,
    config: ConfigFile = None,
    mock: Mock = False,
    format: OutputFormat = "table",
) -> None:
    """Check every recorded file against its checksums, its manifest, its order, and the promise that time is tiled."""
    settings = load(config, flags=mock_flag(mock)).config
    if remote:
        verify_remote(settings, format)
        return
    fetch_first(settings, DownloadRequest())
    data_dir = settings.data_dir
    layout = Layout(data_dir)
    if not has_recording(layout):
        raise ConfigError(f"nothing was recorded in {data_dir}; {how_to_record()}")
    report = verify_recording(layout, deep=deep)
    findings, files = report.findings, report.files
    lacks = [_lacks_table(report)] if report.lacks else []
    show([_verified_table(report, deep=deep, data_dir=data_dir), _findings_table(report), *lacks], format)
    if findings:
        found = "1 finding" if len(findings) == 1 else f"{len(findings):,} findings"
        raise IntegrityError(f"{found} in {files:,} files; keep the data and look at each")


def _verified_table(report: VerifyReport, *, deep: bool, data_dir: Path) -> Table:
    """Return what was verified, a row for each dataset and venue, and by which checks."""
    checks = (*QUICK_CHECKS, *DEEP_CHECKS) if deep else QUICK_CHECKS
    rows: list[Sequence[Value]] = [
        (each.folder, each.venue, each.files, each.rows, each.bytes, " ".join(checks)) for each in report.verified
    ]
    note = f"checks: {', '.join(checks)}" + ("" if deep else "; with --deep the books are added up too")
    return Table("verified", "Verified", _VERIFIED, rows, note, empty=f"no file of a recording is in {data_dir}")


def _lacks_table(report: VerifyReport) -> Table:
    """Return what a folder lacks that another program wrote."""
    rows: list[Sequence[Value]] = [(each.what, each.why) for each in report.lacks]
    return Table("lacks", "What these files lack to be a recording", _LACKS, rows)


def _findings_table(report: VerifyReport) -> Table:
    """Return what is wrong."""
    shown: list[Sequence[Value]] = [list(each) for each in report.findings[:FINDINGS_SHOWN_MAX]]
    more = len(report.findings) - len(shown)
    note = f"{more:,} more findings" if more else ""
    whole = f"none: all {report.files:,} files are as they were sealed" if report.files else "nothing to verify"
    return Table("findings", "Findings", _FINDINGS, shown, note, empty=whole)
