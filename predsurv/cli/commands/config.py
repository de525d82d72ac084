"""``predsurv config show``: every setting, its value and who set it."""

from typing import Annotated, Literal

import typer

from predsurv.cli.options import ConfigFile, OutputFormat
from predsurv.cli.output.columns import TEXT_CHARS_MAX
from predsurv.cli.output.render import Column, Table, show
from predsurv.config import LoadedConfig, as_rows, load
from predsurv.config.schema import RESERVED

_COLUMNS = (
    Column("key", "Key", keep=9, fit="whole"),
    Column("value", "Value", keep=9, width_min=12, width_max=TEXT_CHARS_MAX, fit="wrap"),
    Column("source", "From", keep=9, width_min=11, width_max=TEXT_CHARS_MAX, fit="wrap", only="people"),
    Column("origin", "From", only="machine"),
)


def config(
    action: Annotated[Literal["show"], typer.Argument(help="What to do; there is only show.")] = "show",
    *,
    changed: Annotated[bool, typer.Option("--changed", help="Only what somebody set.")] = False,
    config: ConfigFile = None,
    format: OutputFormat = "table",
) -> None:
    """Show every setting and where it came from; secrets are never shown."""
    del action  # typer has checked it; a second action would be a second function
    show(settings(load(config), changed=changed), format)


def settings(loaded: LoadedConfig, *, changed: bool = False) -> Table:
    """Return the settings as rows; with ``changed`` only those that somebody set."""
    asked = [row for row in as_rows(loaded) if not (changed and loaded.origins[row.key] == "default")]
    rows = [
        (row.key, row.value, "file" if loaded.origins[row.key] == "file" else row.origin, row.origin) for row in asked
    ]
    title = f"Configuration: {loaded.path}" if loaded.path else "Configuration: built-in defaults"
    reserved = [key for key, *_ in rows if key in RESERVED]
    note = "flag beats environment beats file beats default"
    if reserved:
        note += f"; accepted, but without effect yet: {', '.join(reserved)}"
    return Table("settings", title, _COLUMNS, rows, note)
