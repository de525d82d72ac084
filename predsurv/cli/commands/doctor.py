"""``predsurv doctor``: is everything in place, and if not, what to do."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from predsurv.cli.commands.bucket_checks import bucket_check
from predsurv.cli.commands.checks import (
    HealthCheck,
    data_checks,
    kalshi_check,
    package_checks,
    port_check,
    python_check,
    reach_checks,
    secret_checks,
    speedups_check,
    venue_urls,
    worst,
)
from predsurv.cli.commands.config_checks import name_checks, phase_checks
from predsurv.cli.commands.drift_checks import drift_of
from predsurv.cli.options import ConfigFile, Mock, OutputFormat, mock_flag
from predsurv.cli.output.columns import TEXT_CHARS_MAX
from predsurv.cli.output.render import Column, Table, say, show
from predsurv.config import Config, load
from predsurv.core.errors import ConfigError

_COLUMNS: Final = (
    Column("state", "", keep=9),
    Column("check", "Check", keep=9, fit="whole"),
    Column("found", "Found", keep=9, width_max=TEXT_CHARS_MAX, fit="wrap"),
    Column("next_step", "Next step", keep=9, width_max=TEXT_CHARS_MAX, fit="wrap", if_any=True),
)


def doctor(
    config: ConfigFile = None,
    format: OutputFormat = "table",
    *,
    venue: Annotated[
        str | None,
        typer.Option(
            "--venue",
            metavar="VENUE",
            help="Compare what this venue sends and was recorded of with what is known of it.",
        ),
    ] = None,
    frames: Annotated[
        Path | None,
        typer.Option(
            "--frames", metavar="FILE", help="With --venue: raw frames, one a line, in place of the sampled ones."
        ),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Do not connect to any venue.")] = False,
    mock: Mock = False,
) -> None:
    """Check that everything needed is in place; exits with 1 when something has to be done."""
    if venue is not None:
        _end(*_of_venue(load(config, flags=mock_flag(mock)).config, venue, frames, offline=offline), format)
        return
    if frames is not None:
        raise ConfigError("--frames goes with --venue: whose messages are they?")
    checks = [python_check(), *package_checks(), speedups_check()]
    try:
        loaded = load(config, flags=mock_flag(mock))
    except ConfigError as error:
        checks.append(HealthCheck("configuration", "fail", str(error), "correct the file"))
    else:
        checks.append(HealthCheck("configuration", "ok", str(loaded.path or "built-in defaults")))
        checks += _configured(loaded.config, offline=offline)
    _end(checks, [], format)


def _of_venue(
    config: Config, venue: str, frames: Path | None, *, offline: bool
) -> tuple[list[HealthCheck], list[Table]]:
    """Return the checks of one venue, and its messages as a table where there are any."""
    drift = drift_of(config, venue, frames)
    urls = {name: url for name, url in venue_urls(config).items() if name.startswith(f"{venue} ")}
    reached = [] if offline or frames is not None else asyncio.run(reach_checks(urls))
    return [*reached, *drift.checks], [] if drift.table is None else [drift.table]


def _end(checks: Sequence[HealthCheck], more: Sequence[Table], format: OutputFormat) -> None:
    """Show the checks, and exit with 1 when one failed."""
    show([report(checks), *more], format)
    if format == "table" and not (sys.stdout.isatty() and sys.stderr.isatty()):
        for check in checks:
            if check.state != "ok":  # whoever sees stderr alone has not seen the table
                say(_in_full(check))
    if worst(checks) == "fail":
        raise typer.Exit(1)


def report(checks: Sequence[HealthCheck]) -> Table:
    """Return one row per check."""
    rows = [(check.state, check.name, check.found, check.step) for check in checks]
    counts = {state: sum(check.state == state for check in checks) for state in ("ok", "warn", "fail")}
    note = ", ".join(f"{count} {state}" for state, count in counts.items())
    return Table("checks", "Check-up", _COLUMNS, rows, note)


def _in_full(check: HealthCheck) -> str:
    found = check.found if check.found.startswith(check.name) else f"{check.name}: {check.found}"
    return f"{check.state}: {found}" + (f"; {check.step}" if check.step else "")


def _configured(config: Config, *, offline: bool) -> list[HealthCheck]:
    checks = [*data_checks(config.data_dir), port_check(config.metrics.host, config.metrics.port), *secret_checks()]
    if config.venues.kalshi.enabled and not config.mock.enabled:
        checks.append(kalshi_check())
    if config.bucket:
        checks.append(bucket_check(config, offline=offline))
    checks += name_checks(config)
    if offline:
        return checks
    return checks + asyncio.run(_online(config))


async def _online(config: Config) -> list[HealthCheck]:
    reached = await reach_checks(venue_urls(config))
    return reached + await phase_checks(config)
