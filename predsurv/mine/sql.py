"""SQL over the recorded files; the only user of ``duckdb``, an optional dependency."""

from collections.abc import Callable
from concurrent.futures import Future, wait
from pathlib import Path
from threading import Thread
from typing import Any, Final, TypeVar

import pyarrow as pa
from msgspec import Struct

from predsurv.core.errors import ConfigError
from predsurv.core.text import path_component, sanitise
from predsurv.mine import sql_views
from predsurv.mine.sql_views import INSTRUMENTS, SOURCES, Source
from predsurv.store.files import PRIVATE_DIR, make_dirs
from predsurv.store.layout import Layout, how_to_record
from predsurv.store.universe import universe_files, universe_venues

_MISSING: Final = "SQL needs duckdb: pip install 'predsurv[sql]', in a checkout make setup"
_ERROR_CHARS_MAX: Final = 900
_LISTEN_AGAIN: Final = 0.1
_INTERRUPT_AGAIN: Final = 0.02
"""Seconds until a waiting thread looks for a signal it has not heard, and between two interrupts of a query."""

_T = TypeVar("_T")


class SqlResult(Struct, frozen=True):
    """Columns by name and DuckDB's type, and the rows; ``more``: there are others that were not asked for.

    Values are what Arrow makes of them; timestamps are ns UTC.
    """

    columns: tuple[tuple[str, str], ...]
    rows: list[tuple[Any, ...]]
    more: bool = False


class DatasetView(Struct, frozen=True):
    """A view that can be asked: its name, what a row of it is, and its columns."""

    name: str
    about: str
    columns: tuple[str, ...]


def query(data_dir: Path, text: str, rows_max: int | None = None) -> SqlResult:
    """Return the result of one SQL query, of its first ``rows_max`` rows; raises ConfigError for one that fails."""
    duckdb = _duckdb()

    def ask(connection: Any) -> SqlResult:
        _prepare(connection, data_dir, named=sql_views.mentions_names(text))
        return _answer(connection, text, rows_max)

    try:
        return _interruptible(duckdb.connect(), ask)
    except duckdb.Error as failure:
        if not any(_is_there(source, data_dir) for source in SOURCES):
            raise ConfigError(f"SQL: nothing recorded in {data_dir}; {how_to_record()}") from None
        raise ConfigError(f"SQL: {_said(failure, data_dir)}") from None


def _said(failure: BaseException, data_dir: Path) -> str:
    """Return what went wrong, and for a table that is missing those that there are: DuckDB offers its own."""
    line = _line(failure)
    if not line.startswith("Catalog Error: Table with name"):
        return line
    names = [each.name for each in SOURCES if _is_there(each, data_dir)]
    return f"{line.partition('! Did you mean')[0]}; recorded are {', '.join([*names, INSTRUMENTS])}"


def views(data_dir: Path) -> list[DatasetView]:
    """Return the views of what is in the folder."""

    def describe(connection: Any) -> list[DatasetView]:
        _prepare(connection, data_dir, named=True)
        found = []
        for source in (*(each for each in SOURCES if _is_there(each, data_dir)), None):
            name = INSTRUMENTS if source is None else source.name
            about = "outcomes of every listed market, with their names" if source is None else source.about
            described = connection.execute(f'SELECT * FROM "{name}" LIMIT 0').description
            found.append(DatasetView(name, about, tuple(str(each[0]) for each in described)))
        return found

    return _interruptible(_duckdb().connect(), describe)


def _answer(connection: Any, text: str, rows_max: int | None) -> SqlResult:
    relation = connection.sql(text)
    if relation is None:  # a statement without a result
        return SqlResult((), [])
    described = tuple(zip(map(str, relation.columns), map(str, relation.types), strict=True))
    found = (relation if rows_max is None else relation.limit(rows_max + 1)).to_arrow_table()
    kept = found if rows_max is None else found.slice(0, rows_max)
    return SqlResult(described, list(zip(*map(_values, kept.columns), strict=True)), found.num_rows > kept.num_rows)


def _values(column: pa.ChunkedArray) -> list[Any]:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ns", column.type.tz)).cast(pa.int64())
    return list(column.to_pylist())


def _line(failure: BaseException) -> str:
    """Return DuckDB's message in one line, without the drawing that points into the query."""
    lines = [line.strip() for line in str(failure).splitlines()]
    return sanitise(" ".join(line for line in lines if line and set(line) != {"^"}), _ERROR_CHARS_MAX)


def _duckdb() -> Any:
    try:
        import duckdb
    except ImportError:
        raise ConfigError(_MISSING) from None
    return duckdb


def _interruptible(connection: Any, work: Callable[[Any], _T]) -> _T:
    """Return what ``work`` makes of the connection, which is closed afterwards; Ctrl-C ends it wherever it is.

    DuckDB hears Ctrl-C only when the thread that asked happens to take part in the query: it waits deaf where another
    of its threads has all the work. So the query has a thread of its own, and this one waits.
    """
    outcome: Future[_T] = Future()

    def run() -> None:
        if outcome.set_running_or_notify_cancel():
            try:
                outcome.set_result(work(connection))
            except BaseException as failure:
                outcome.set_exception(failure)

    try:
        Thread(target=run, name="sql", daemon=True).start()
        while not wait([outcome], _LISTEN_AGAIN).done:  # Python hears no signal that comes just before it waits
            pass
        return outcome.result()
    finally:
        while not outcome.cancel() and not outcome.done():
            connection.interrupt()  # one between two statements is lost
            wait([outcome], _INTERRUPT_AGAIN)
        connection.close()


def _prepare(connection: Any, data_dir: Path, *, named: bool) -> None:
    for setting in ("TimeZone = 'UTC'", "autoinstall_known_extensions = false", "enable_progress_bar = false"):
        connection.execute(f"SET {setting}")
    if named:
        connection.execute(_names(connection, data_dir))
    for source in SOURCES:
        if _is_there(source, data_dir):
            connection.execute(sql_views.view(source, data_dir, named=named))


def _is_there(source: Source, data_dir: Path) -> bool:
    depth = "venue=*/date=*/hour=*/*.parquet" if source.hourly else "venue=*/date=*/*.parquet"
    return next((data_dir / source.folder).glob(depth), None) is not None


def _names(connection: Any, data_dir: Path) -> str:
    parts = []
    for venue in universe_venues(data_dir):
        for date, path in universe_files(data_dir, venue).items():
            parts.append((str(venue), _outcomes(connection, Layout(data_dir), f"{path_component(venue)}-{date}", path)))
    return sql_views.instruments(parts) if parts else sql_views.no_instruments()


def _outcomes(connection: Any, layout: Layout, name: str, universe: Path) -> str:
    """Return a query for the outcomes in a universe file, of which a small copy is kept: reading it takes seconds.

    Where nothing can be written the file itself is read each time.
    """
    state = universe.stat()
    folder = layout.state / "sql"
    kept = folder / f"{name}-{state.st_size}-{state.st_mtime_ns}.parquet"
    if not kept.is_file():
        direct = sql_views.outcomes_of(universe)
        draft = kept.with_suffix(".draft")
        try:
            make_dirs(layout.state, PRIVATE_DIR)
            make_dirs(folder, PRIVATE_DIR)
            for old in folder.glob(f"{name}-*"):
                old.unlink(missing_ok=True)
            connection.execute(f"COPY ({direct}) TO {sql_views.literal(str(draft))} (FORMAT parquet)")
            draft.replace(kept)
        except OSError:
            return direct
    return f"SELECT * FROM read_parquet({sql_views.literal(str(kept.absolute()))})"
