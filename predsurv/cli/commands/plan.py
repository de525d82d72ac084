"""``predsurv collect --plan``: what a recording would need, without connecting."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from predsurv.cli.output.columns import span
from predsurv.cli.output.render import Column, Table, Value
from predsurv.collect.selection.estimate import RecordedDay, ResourceEstimate, WriteSettings, forecast
from predsurv.collect.selection.planner import EXPLORING, Candidate, Plan
from predsurv.config import Config
from predsurv.core.ids import VenueName
from predsurv.store import manifest
from predsurv.store.layout import NS_SECOND, Layout, parse_file
from predsurv.store.read.book_openings import book_rows
from predsurv.store.seal.coverage_tail import covered_time

_PLAN: Final = (
    Column("venue", "Venue", keep=9),
    Column("candidates", "Tradable", "int", keep=5),
    Column("instruments", "Recorded", "int", keep=9),
    Column("connections", "Connections", "int", keep=8),
    Column("messages_per_s", "Messages", "decimal", "per s", places=1, keep=8),
    Column("bytes_per_day", "Disk", "bytes", "per day", keep=8),
    Column("files_per_day", "Files", "int", "per day", keep=7),
    Column("revisit_s", "Each seen within", "duration", keep=8),
    Column("pinned", "Pinned", "int", keep=3),
    Column("exploited", "Most interesting", "int", keep=4),
    Column("explored", "Exploring", "int", keep=4),
    Column("basis", "Based on", only="machine"),
)
_GUESS: Final = "a guess"


def plan_table(
    plans: Mapping[VenueName, Plan], universes: Mapping[VenueName, Sequence[Candidate]], config: Config
) -> Table:
    """Return one row per venue: what its first period would record and the resources that needs."""
    pace, rows = _pace(config), []
    for name, made in plans.items():
        experience = _experience(Layout(config.data_dir), name)
        expected = forecast(made, universes[name], pace, experience)
        rows.append(_row(name, made, expected, candidates=_tradable(universes[name]), experience=experience))
    return Table("plan", "What recording would take", _PLAN, rows, _note(plans, rows, config))


def _row(
    name: VenueName, made: Plan, expected: ResourceEstimate, *, candidates: int, experience: RecordedDay | None
) -> Sequence[Value]:
    return (
        name,
        candidates,
        expected.instruments,
        expected.connections,
        expected.messages_per_s,
        expected.bytes_per_day,
        expected.files_per_day,
        expected.revisit,
        made.count("pinned"),
        made.count("exploited", "everything"),
        made.count(*EXPLORING),
        f"recorded {experience.date}, {span(round(experience.seconds * NS_SECOND))} of books"
        if experience is not None and not expected.guessed
        else _GUESS,
    )


def _note(plans: Mapping[VenueName, Plan], rows: Sequence[Sequence[Value]], config: Config) -> str:
    notes = [f"files go to {config.bucket} by way of {config.data_dir}"] if config.bucket else []
    left_out = sum(made.left_out for made in plans.values())
    if left_out:
        notes.append(f"{left_out:,} pinned instruments find no place: raise collector.max_instruments")
    notes += [f"{row[0]} is expected from what was {row[-1]}" for row in rows if row[-1] != _GUESS]
    if any(row[-1] == _GUESS for row in rows):
        notes.append("guesses follow the volume traded; a recorded day replaces them")
    return "; ".join(notes)


def _tradable(universe: Sequence[Candidate]) -> int:
    return sum(candidate.tradable for candidate in universe)


def _pace(config: Config) -> WriteSettings:
    collector, storage = config.collector, config.storage
    return WriteSettings(
        rotation_period=collector.rotation_period,
        seal_interval=storage.seal_interval,
        snapshot_interval=storage.snapshot_interval,
        heartbeat_interval=storage.heartbeat_interval,
        instruments_per_connection=collector.instruments_per_connection,
        compact=storage.compact and not config.bucket,
    )


def _experience(layout: Layout, venue: VenueName) -> RecordedDay | None:
    """Return message and byte counts of the latest recorded day of ``venue``, None without one."""
    listed = [
        (partition, file)
        for file in (manifest.read(layout.manifest) if layout.manifest.is_dir() else ())
        for partition, _ in [parse_file(Path(file.path))]
        if partition.venue == venue
    ]
    if not listed:
        return None
    date = max(partition.date for partition, _ in listed)
    day = [(partition.dataset, file) for partition, file in listed if partition.date == date]
    changes = [file for dataset, file in day if dataset == "deltas"]
    rows = book_rows(layout.data_dir / file.path for file in changes)
    trades = sum(file.rows for dataset, file in day if dataset == "trades")
    opening_bytes = _part(sum(file.bytes for file in changes), rows.opening_rows, rows.changes + rows.opening_rows)
    return RecordedDay(
        date,
        covered_time(layout, venue, date) / NS_SECOND,
        rows.changes + trades,
        sum(file.bytes for _, file in day) - opening_bytes,
        rows.openings,
        opening_bytes,
    )


def _part(whole: int, part: int, of: int) -> int:
    return whole * part // of if of else 0
