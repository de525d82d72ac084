"""``predsurv verify``: is what was recorded whole?"""

from collections.abc import Sequence
from typing import Annotated, Final

import typer

from predsurv.cli.commands.bucket import fetch_first
from predsurv.cli.commands.verify_remote import verify_remote
from predsurv.cli.options import ConfigFile, Mock, OutputFormat, mock_flag
from predsurv.cli.output.columns import TEXT_CHARS_MAX
from predsurv.cli.output.render import Column, Table, Value, say, show
from predsurv.config import load
from predsurv.core.errors import ConfigError, IntegrityError
from predsurv.store.layout import Layout, has_recording, how_to_record
from predsurv.store.read.verify import verify_recording
from predsurv.store.remote.download import DownloadRequest

FINDINGS_SHOWN_MAX: Final = 50

_FINDINGS: Final = (
    Column("check", "Check", keep=9),
    Column("where", "Where", keep=8, width_max=TEXT_CHARS_MAX, fit="wrap"),
    Column("what", "What", keep=9, width_max=TEXT_CHARS_MAX, fit="wrap"),
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
    shown: list[Sequence[Value]] = [list(each) for each in findings[:FINDINGS_SHOWN_MAX]]
    note = f"{len(findings) - len(shown):,} more findings" if len(findings) > len(shown) else ""
    books = ", and their books add up" if deep else ""
    whole = f"all {files:,} files are whole, match the manifest, and tile the wanted time{books}"
    if not files:
        whole = f"nothing to verify: no file of a recording is in {data_dir}"
    show(Table("findings", "Verification", _FINDINGS, shown, note, empty=whole), format)
    if not files and not findings and format != "table":
        say(whole)
    if findings:
        found = "1 finding" if len(findings) == 1 else f"{len(findings):,} findings"
        raise IntegrityError(f"{found} in {files:,} files; keep the data and look at each")
