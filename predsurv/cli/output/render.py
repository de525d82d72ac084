"""Every table that the program prints: laid out for a terminal, or as JSON, JSON lines or CSV."""

import csv
import json
import sys
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Final, Literal, TextIO

from msgspec import Struct
from rich import box
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from predsurv.cli.options import Format
from predsurv.cli.output.columns import (
    KEPT,
    NOTHING,
    TEXT_WIDTH_MIN,
    TITLE_SHARE,
    Column,
    Kind,
    Machine,
    Value,
    headed,
    machine,
    people,
    shortened,
    spreadsheet,
    without_bar,
)
from predsurv.cli.output.folding import folded, folded_cell
from predsurv.core.text import sanitise

__all__ = ["Column", "Format", "Kind", "Table", "Value", "console", "near", "render", "say", "show"]

UNBOUNDED_WIDTH: Final = 10_000
_INDENT: Final = "  "
_HANG: Final = 2
_GAP: Final = 2  # one cell of padding and one that the box draws between columns


class Table(Struct, frozen=True):
    """A table: typed columns, and rows of values in column order.

    ``name`` tells tables apart in machine formats; ``title`` and ``note`` are for people; ``empty`` is what
    people read when there are no rows. ``first``: people see so many of the rows and
    the number of the others; None: all of them.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: Sequence[Sequence[Value]]
    note: str = ""
    empty: str = "nothing to show"
    first: int | None = None


def show(
    tables: Table | Sequence[Table], form: Format = "table", stream: TextIO | None = None, *, named: bool = False
) -> None:
    """Print tables to ``stream`` (stdout by default) in the given format.

    JSON: one table is a list of objects, several, or one that is ``named``, an object of such lists by name. JSON lines
    of several tables carry ``table``. CSV of several tables is one block each with an empty line between.
    """
    several = [tables] if isinstance(tables, Table) else list(tables)
    out = stream or sys.stdout
    if form == "table":
        _print_tables(several, console(out))
    else:
        out.write(render(several, form, as_ascii=not speaks_unicode(out), named=named))
    out.flush()


def speaks_unicode(stream: TextIO) -> bool:
    """Return whether every character can be written to ``stream``: where not, JSON escapes what an encoding lacks."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return encoding.lower().startswith("utf")


def render(tables: Sequence[Table], form: Format, *, as_ascii: bool = False, named: bool = False) -> str:
    """Return tables as text in a machine format; JSON has ASCII alone where that is asked for."""
    if form == "json":
        body = {table.name: _objects(table) for table in tables}
        whole = body if named or len(tables) != 1 else next(iter(body.values()))
        return json.dumps(whole, indent=1, ensure_ascii=as_ascii) + "\n"
    if form == "jsonl":
        tagged = [_tag(table, len(tables)) | row for table in tables for row in _objects(table)]
        return "".join(json.dumps(row, ensure_ascii=as_ascii) + "\n" for row in tagged)
    return "\n".join(_csv(table) for table in tables)


class _Console(Console):
    """A rich console that raises BrokenPipeError instead of exiting."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console(stream: TextIO) -> Console:
    """Return a console with markup, emoji codes and links turned off."""
    width = None if stream.isatty() else UNBOUNDED_WIDTH
    return _Console(file=stream, markup=False, emoji=False, highlight=False, width=width)


def near(path: Path) -> str:
    """Return ``path`` relative to the working directory where it lies below it."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def say(message: str, hang: int = _HANG) -> None:
    """Print one sanitised line to stderr; a terminal gets it folded between words, further lines ``hang`` cells in."""
    line = sanitise(message, 2_000)
    if sys.stderr.isatty():
        line = folded(line, console(sys.stderr).width, hang)
    print(line, file=sys.stderr, flush=True)


def _objects(table: Table) -> list[dict[str, Machine]]:
    return [
        {table.columns[index].key: machine(table.columns[index], row[index]) for index in _for_machines(table)}
        for row in table.rows
    ]


def _tag(table: Table, count: int) -> dict[str, Machine]:
    return {"table": table.name} if count > 1 else {}


def _csv(table: Table) -> str:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    told = _for_machines(table)
    writer.writerow([table.columns[index].key for index in told])
    for row in table.rows:
        writer.writerow([spreadsheet(table.columns[index], row[index]) for index in told])
    return text.getvalue()


def _print_tables(tables: Sequence[Table], target: Console) -> None:
    for index, table in enumerate(tables):
        if index:
            target.print()
        _print_table(table, target)


def _print_table(table: Table, target: Console) -> None:
    target.print(Text(sanitise(table.title), style="bold"))
    if not table.rows:
        target.print(Text(f"  {sanitise(table.empty)}", style="dim"))
        return
    rows = table.rows[: table.first]
    told = [index for index in range(len(table.columns)) if _is_for_people(table, index)]
    columns = [table.columns[index] for index in told]
    texts = [[people(table.columns[index], row[index]) for index in told] for row in rows]
    widths = _fit(columns, texts, target.width)
    if _cuts_what_names(columns, texts, widths):  # a bar says again what the number beside it says
        texts = [[without_bar(column, text) for column, text in zip(columns, line, strict=True)] for line in texts]
        widths = _without_bars(columns, texts, widths, target.width)
    if _taken(widths) > target.width:
        _print_records(columns, texts, target)
    else:
        _print_grid(columns, texts, widths, target)
    if len(rows) < len(table.rows):
        _print_note(f"{len(table.rows) - len(rows):,} more; --format json or csv has all of them", target)
    if table.note:
        _print_note(sanitise(table.note), target)


def _print_records(columns: Sequence[Column], texts: Sequence[Sequence[str]], target: Console) -> None:
    """Print a line for each cell: what has to be whole is wider than the terminal, which would cut it unsaid."""
    cells = max(cell_len(column.heading) for column in columns)
    for number, line in enumerate(texts):
        if number:
            target.print()
        for column, text in zip(columns, line, strict=True):
            heading = set_cell_size(column.heading, cells)
            target.print(Text(f"{heading}{' ' * _GAP}", style="dim").append(text, style="not dim"), soft_wrap=True)


def _print_grid(
    columns: Sequence[Column], texts: Sequence[Sequence[str]], widths: Sequence[int], target: Console
) -> None:
    grid = Grid(box=box.SIMPLE_HEAD, padding=(0, _GAP - 1, 0, 0), pad_edge=False, show_edge=False, header_style="dim")
    shown = [(index, width) for index, width in enumerate(widths) if width]
    for index, width in shown:
        column = columns[index]
        wraps = column.fit == "wrap"
        heading = Text(shortened([column.heading], width)[0])
        grid.add_column(heading, justify=_justify(column), width=width, no_wrap=not wraps, overflow="fold")
    cells = [_cells(columns[index], [line[index] for line in texts], width) for index, width in shown]
    for row in zip(*cells, strict=True):
        grid.add_row(*row)
    target.print(grid)
    hidden = [column.full_name for column, width in zip(columns, widths, strict=True) if not width]
    if hidden:
        _print_note(f"not shown for lack of width: {', '.join(hidden)}", target)


def _print_note(text: str, target: Console) -> None:
    for row in folded_cell(text, target.width - len(_INDENT)).split("\n"):
        target.print(Text(_INDENT).append(row, style="dim"))


def _for_machines(table: Table) -> list[int]:
    return [index for index, column in enumerate(table.columns) if column.only != "people"]


def _is_for_people(table: Table, index: int) -> bool:
    column = table.columns[index]
    return column.only != "machine" and (not column.if_any or any(row[index] for row in table.rows))


def _justify(column: Column) -> Literal["left", "right"]:
    return "left" if column.kind in ("text", "bar", "spark") else "right"


def _cells(column: Column, texts: Sequence[str], width: int) -> list[Text]:
    cut = texts
    if _flexible(column) and column.fit == "cut":
        cut = shortened(texts, width)
    elif column.fit == "wrap":
        cut = [folded_cell(text, width) for text in texts]
    elif column.fit == "head":
        cut = [headed(text, width) for text in texts]
    bars = "cyan" if column.kind in ("bar", "spark") else ""
    return [Text(text, style="dim" if text == NOTHING else bars) for text in cut]


def _flexible(column: Column) -> bool:
    return column.kind == "text" and column.fit != "whole"


def _fit(columns: Sequence[Column], texts: Sequence[Sequence[str]], available: int) -> list[int]:
    """Return the width of each column, 0 for those left out: numbers are shown whole or not at all."""
    natural = [_natural(column, [line[index] for line in texts]) for index, column in enumerate(columns)]
    least = [
        min(width, _cells_min(column, available)) if _flexible(column) else width
        for column, width in zip(columns, natural, strict=True)
    ]
    shown = set(range(len(columns)))
    room = available + _GAP  # there is none behind the last column
    while sum(_GAP + least[index] for index in shown) > room and any(columns[index].keep < KEPT for index in shown):
        shown.remove(min(shown, key=lambda index: (columns[index].keep, -index)))
    return _shrink(columns, [natural[index] if index in shown else 0 for index in range(len(columns))], available)


def _taken(widths: Sequence[int]) -> int:
    """Return the cells of a line of columns with these widths."""
    return sum(width + _GAP for width in widths if width) - _GAP


def _without_bars(
    columns: Sequence[Column], texts: Sequence[Sequence[str]], widths: Sequence[int], available: int
) -> list[int]:
    """Return the widths with the room of bars given to the texts, of the columns of ``widths``."""
    natural = [_natural(column, [line[index] for line in texts]) for index, column in enumerate(columns)]
    shown = [width if before else 0 for width, before in zip(natural, widths, strict=True)]
    return _shrink(columns, shown, available)


def _cuts_what_names(columns: Sequence[Column], texts: Sequence[Sequence[str]], widths: Sequence[int]) -> bool:
    """Return whether a text is cut that people find a row by."""
    return any(
        column.keep >= KEPT and column.fit == "cut" and width < _natural(column, [line[index] for line in texts])
        for index, (column, width) in enumerate(zip(columns, widths, strict=True))
    )


def _natural(column: Column, texts: Sequence[str]) -> int:
    width = max(cell_len(column.heading), *map(cell_len, texts))
    return min(width, column.width_max) if _flexible(column) else width


def _cells_min(column: Column, available: int) -> int:
    """Return the cells that a text has before others are left out for it: more of a title on a wide terminal."""
    widened = column.keep >= KEPT and column.width_min is None
    least = max(column.cells_min, available // TITLE_SHARE) if widened else column.cells_min
    return max(least, cell_len(column.heading))  # a heading is not cut for other columns


def _shrink(columns: Sequence[Column], widths: list[int], available: int) -> list[int]:
    """Take what is beyond ``available`` from the widest texts, from what they need only where there is no other way."""
    excess = _taken(widths) - available
    headings = [max(TEXT_WIDTH_MIN, cell_len(column.heading)) for column in columns]
    needs = [_cells_min(column, available) for column in columns]
    for least in (needs, headings, [TEXT_WIDTH_MIN] * len(columns)):
        while excess > 0:
            wide = [i for i, width in enumerate(widths) if _flexible(columns[i]) and width > least[i]]
            if not wide:
                break
            widths[max(wide, key=lambda index: widths[index])] -= 1
            excess -= 1
    return widths
