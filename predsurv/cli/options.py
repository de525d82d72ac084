"""Options that several commands share, so that a flag means the same everywhere."""

import shlex
from pathlib import Path
from typing import Annotated, Literal

import typer

Format = Literal["table", "json", "jsonl", "csv"]

Venues = Annotated[
    list[str] | None, typer.Argument(metavar="VENUE", help="Venues by name; default: all that are enabled.")
]
ConfigFile = Annotated[
    str | None,
    typer.Option("--config", metavar="FILE", help="Configuration; default config/surveillance.toml if it is there."),
]
Mock = Annotated[bool, typer.Option("--mock", help="Use the made-up venue: no network, no account.")]
OutputFormat = Annotated[Format, typer.Option("--format", help="How to print data.")]
Duration = Annotated[
    str | None, typer.Option("--duration", metavar="TIME", help='Stop after this long, such as "60s" or "5m".')
]

LogFile = Annotated[
    Path | None,
    typer.Option("--log-file", metavar="FILE", help="Append log lines to this file; SIGHUP opens it anew."),
]


def mock_flag(mock: bool) -> dict[str, object]:
    """Return the configuration override of ``--mock``; empty when it was not given."""
    return {"mock.enabled": True} if mock else {}


def with_config(command: str, config: str | None) -> str:
    """Return ``command`` as it has to be typed to see the same data: with the ``--config`` that was given, if any."""
    return command if config is None else f"{command} --config {shlex.quote(config)}"
