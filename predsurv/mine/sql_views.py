"""The datasets of a folder as SQL views, and the market's names beside every row: text only, for DuckDB.

Recorded times are nanoseconds with a zone, which DuckDB has few functions for; and its functions of nanoseconds without
one round them to microseconds first, so that the last half microsecond of an hour is in the next. The views have each
time as a plain UTC timestamp in whole microseconds, rounded down, and as a whole number of nanoseconds: ``ts_recv`` and
``ts_recv_ns``.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from msgspec import Struct

from predsurv.store.layout import FOLDERS, HOURLY


class Source(Struct, frozen=True):
    """A view ``name`` over the Parquet files below ``folder``; ``times``: its columns that are times."""

    name: str
    folder: str
    about: str
    times: tuple[str, ...]
    hourly: bool = False


_ABOUT: Final = {
    "snapshots": "the best levels of books, when they changed",
    "deltas": "levels of books that changed",
    "trades": "trades",
    "coverage": "intervals of an instrument: covered, or a gap and why",
    "lifecycle": "what markets did: opened, paused, changed their tick, settled",
    "rotations": "which instruments rotation chose, when, why and with which probability, and which it let go",
}

_TIMES: Final = {"coverage": ("start", "end"), "rotations": ("ts_recv",)}

SOURCES: Final = (
    *(
        Source(name, folder, _ABOUT[name], _TIMES.get(name, ("ts_recv", "ts_venue")), name in HOURLY)
        for name, folder in FOLDERS.items()
    ),
    Source("stats", "stats", "an instrument's day in numbers, by 'predsurv mine'", ()),
    Source(
        "episodes", "episodes", "times in which a set of markets paid, by 'predsurv mine episodes'", ("start", "end")
    ),
)
"""Every dataset that is Parquet."""

INSTRUMENTS: Final = "instruments"
"""The view of names: a row for each outcome of every market that any universe lists, as its latest list has it."""

_LINE: Final = {
    "market_id": "VARCHAR",
    "event_id": "VARCHAR",
    "question": "VARCHAR",
    "category": "VARCHAR",
    "status": "VARCHAR",
    "close_time": "VARCHAR",
    "tick_size": "VARCHAR",
    "fetched_at": "VARCHAR",
    "outcomes": "STRUCT(instrument_id VARCHAR, label VARCHAR)[]",
}
_NAMES: Final = ("question", "outcome", "event_id", "category")
_MENTIONS_NAMES: Final = re.compile(rf"\*|\b({'|'.join((*_NAMES, INSTRUMENTS))})\b", re.IGNORECASE)


def mentions_names(query: str) -> bool:
    """Return whether ``query`` could ask for anything that only universes have."""
    return _MENTIONS_NAMES.search(query) is not None


def literal(text: str) -> str:
    """Return ``text`` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def files_of(source: Source, data_dir: Path) -> str:
    """Return the pattern of a dataset's files."""
    below = "venue=*/date=*/hour=*/*.parquet" if source.hourly else "venue=*/date=*/*.parquet"
    return f"{_pattern(data_dir)}/{source.folder}/{below}"


def view(source: Source, data_dir: Path, *, named: bool) -> str:
    """Return the statement that makes the view of a dataset; ``named``: with the names of ``instruments`` joined."""
    hive = "'venue': VARCHAR, 'date': DATE" + (", 'hour': INTEGER" if source.hourly else "")
    rows = (
        f"read_parquet({literal(files_of(source, data_dir))}, hive_partitioning = true, hive_types = {{{hive}}}, "
        "union_by_name = true)"
    )
    plain = ", ".join(f'make_timestamp(epoch_ns("{name}") // 1000) AS "{name}"' for name in source.times)
    replaced = f" REPLACE ({plain})" if plain else ""
    whole = "".join(f', epoch_ns(r."{name}") AS "{name}_ns"' for name in source.times)
    if not named or source.name == "episodes":
        return f'CREATE VIEW "{source.name}" AS SELECT *{replaced}{whole} FROM {rows} AS r'
    taken = ", ".join(f"names.{name}" for name in _NAMES)
    star = plain.replace('epoch_ns("', 'epoch_ns(r."')
    replaced = f" REPLACE ({star})" if star else ""
    return (
        f'CREATE VIEW "{source.name}" AS SELECT r.*{replaced}{whole}, {taken} FROM {rows} AS r LEFT JOIN {INSTRUMENTS} '
        "AS names ON names.venue = r.venue AND names.instrument_id = r.instrument_id"
    )


def outcomes_of(universe: Path) -> str:
    """Return the query for the outcomes in a universe file."""
    columns = ", ".join(f"{name}: {literal(kind)}" for name, kind in _LINE.items())
    return (
        "SELECT market_id, event_id, question, category, status, close_time, "
        "TRY_CAST(tick_size AS DOUBLE) AS tick_size, fetched_at, unnest(outcomes, recursive := true) FROM read_json("
        f"{literal(_pattern(universe))}, format = 'newline_delimited', maximum_object_size = 16777216, "
        f"columns = {{{columns}}})"
    )


def instruments(parts: Iterable[tuple[str, str]]) -> str:
    """Return the statement that makes the view of names from (venue, query for outcomes)."""
    every = " UNION ALL BY NAME ".join(f"SELECT {literal(venue)} AS venue, * FROM ({query})" for venue, query in parts)
    return (
        f"CREATE VIEW {INSTRUMENTS} AS SELECT venue, instrument_id, market_id, label AS outcome, question, event_id, "
        f"category, status, close_time, tick_size FROM ({every}) "
        "QUALIFY row_number() OVER (PARTITION BY venue, instrument_id ORDER BY fetched_at DESC) = 1"
    )


def no_instruments() -> str:
    """Return the statement that makes the view of names where no universe is there."""
    columns = ("venue", "instrument_id", "market_id", "outcome", "question", "event_id", "category", "status")
    empty = ", ".join(f"NULL::VARCHAR AS {name}" for name in columns)
    return f"CREATE VIEW {INSTRUMENTS} AS SELECT {empty} WHERE false"


def _pattern(path: Path) -> str:
    """Return a path whose own characters are no wildcards."""
    return re.sub(r"([*?\[])", r"[\1]", path.absolute().as_posix())
