"""A table cell in three renderings: terminal, JSON, CSV.

The safety rules for untrusted text live here: control characters never reach a terminal, and no cell is read by a
spreadsheet as a formula.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Final, Literal

from msgspec import Struct
from rich.cells import cell_len, set_cell_size

from predsurv.core.num import format_micros
from predsurv.core.text import sanitise

Kind = Literal["text", "int", "decimal", "micros", "percent", "duration", "time", "bytes", "bar", "spark"]
"""What a column holds and in which unit:

``text`` str of any origin, or a bool · ``int`` · ``decimal`` float or int · ``micros`` int millionths · ``percent``
share (1.0 is 100 %) · ``duration`` int ns · ``time`` int ns UTC · ``bytes`` int · ``bar`` share from 0 to 1 · ``spark``
numbers (or None) in their order. None and not-a-number mean "nothing known" in every kind.
"""

Fit = Literal["cut", "head", "whole", "wrap"]

Series = list[float | None] | tuple[float | None, ...]
Value = str | int | float | Series | None
Machine = str | int | float | list[float | None] | None

NOTHING: Final = "–"
BAR_CELLS: Final = 10
SPARK_CELLS_MAX: Final = 32
TEXT_CHARS_MAX: Final = 400

_BLOCKS: Final = " ▏▎▍▌▋▊▉█"
_SPARKS: Final = "▁▂▃▄▅▆▇█"
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
_S: Final = 1_000_000_000
TEXT_WIDTH_MAX: Final = 60
TEXT_WIDTH_MIN: Final = 12
TITLE_WIDTH_MIN: Final = 24
TITLE_SHARE: Final = 5
"""A title has at least one in so many cells of a wide terminal."""
KEPT: Final = 9
_TAILS: Final = (1 / 3, 1 / 2, 0, 2 / 3)


class Column(Struct, frozen=True):
    """One column: ``key`` names it for programs, ``title`` and ``unit`` for people.

    ``places``: decimals shown to people (programs get all of them). ``keep``: when the terminal is too
    narrow, the columns with the lowest ``keep`` are left out first; those with 9 never are. ``width_max``: cells of a
    text that are shown where there is room; ``width_min``: at how many others are left out for it, by default more
    for one that is never left out, which is what people find the row by. ``factor``: people see a decimal
    times this, in ``unit`` (dollars as cents: 100); programs get it as it is. ``of``: what the title says something
    of, named where the title stands alone ("at mid" of "Unrealised"). ``fit``: a text is ``cut`` where there is no
    room, shown from its ``head`` on as far as there is room, because that is enough of it to name it, shown ``whole``
    because it is copied (ids, names), or ``wrap``-ped into lines because it is read.
    ``if_any``: people see the column only where some row has something in it that is not 0 (baskets of a strategy
    that trades none). ``only="machine"``: programs get the column, and people read the same in a note or, as
    ``only="people"``, in another column.
    ``chars_max``: characters of a text, for people and programs alike.
    """

    key: str
    title: str
    kind: Kind = "text"
    unit: str = ""
    places: int = 2
    keep: int = 5
    width_min: int | None = None
    width_max: int = TEXT_WIDTH_MAX
    factor: float = 1.0
    of: str = ""
    fit: Fit = "cut"
    if_any: bool = False
    only: Literal["", "machine", "people"] = ""
    chars_max: int = TEXT_CHARS_MAX

    @property
    def heading(self) -> str:
        """Title with its unit, as the terminal shows it."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    @property
    def cells_min(self) -> int:
        """The cells that a text has before other columns are left out for it."""
        if self.width_min is not None:
            return self.width_min
        return TITLE_WIDTH_MIN if self.keep >= KEPT else TEXT_WIDTH_MIN

    @property
    def full_name(self) -> str:
        """The heading as it is understood away from its table."""
        return f"{self.of} {self.heading}" if self.of else self.heading


def people(column: Column, value: Value) -> str:
    """Return the cell as people read it; text is sanitised and one line."""
    if isinstance(value, str):
        return sanitise(value, column.chars_max)
    if isinstance(value, list | tuple):
        return sparkline(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or not isfinite(value):
        return NOTHING
    return _number(column, value)


def machine(column: Column, value: Value) -> Machine:
    """Return the cell as JSON holds it: durations in seconds, times as ISO 8601, micros as decimals."""
    if isinstance(value, str):
        return sanitise(value, column.chars_max)
    if isinstance(value, list | tuple):
        return [None if item is None or not isfinite(item) else float(item) for item in value]
    if value is None or not isfinite(value):
        return None
    if column.kind == "micros":
        return float(format_micros(int(value)))
    if column.kind == "duration":
        return value / _S
    if column.kind == "time":
        return _moment(int(value), "%Y-%m-%dT%H:%M:%S.%fZ")
    return value


def spreadsheet(column: Column, value: Value) -> str:
    """Return the cell as CSV holds it; text that a spreadsheet would evaluate as a formula is quoted."""
    cell = machine(column, value)
    if cell is None:
        return ""
    if isinstance(cell, list):
        return " ".join("" if item is None else f"{item:g}" for item in cell)
    if isinstance(cell, str):
        return f"'{cell}" if cell.lstrip().startswith(_FORMULA_STARTS) else cell
    return str(cell)


def bar(share: float, cells: int = BAR_CELLS) -> str:
    """Return ``share`` (0 … 1, clipped) as a bar of ``cells`` characters, to an eighth of a cell."""
    eighths = round(min(max(share, 0.0), 1.0) * cells * 8)
    full, rest = divmod(eighths, 8)
    return (_BLOCKS[8] * full + (_BLOCKS[rest] if rest else "")).ljust(cells)


def without_bar(column: Column, text: str) -> str:
    """Return a cell as people read it where there is no room for bars."""
    return text.rpartition(" ")[2] if column.kind == "bar" else text


def sparkline(values: Sequence[float | None]) -> str:
    """Return numbers as block characters scaled from minimum to maximum; a space for None."""
    known = [value for value in values[-SPARK_CELLS_MAX:] if value is not None and isfinite(value)]
    if not known:
        return NOTHING
    low, width = min(known), (max(known) - min(known)) or 1
    return "".join(
        " " if value is None or not isfinite(value) else _SPARKS[int((value - low) / width * (len(_SPARKS) - 1))]
        for value in values[-SPARK_CELLS_MAX:]
    )


def shortened(texts: Sequence[str], cells: int) -> list[str]:
    """Return texts in at most ``cells`` of a terminal each: head and tail, cut where they stay as different as can be.

    Titles of one kind differ at their beginning, or at their end, or in both.
    """
    cuts = ([_middle(text, cells, int(cells * tail)) for text in texts] for tail in _TAILS)
    return max(cuts, key=lambda cut: len(set(cut)))  # the first of those that are as good


def headed(text: str, cells: int) -> str:
    """Return the beginning of a text in at most ``cells`` of a terminal."""
    return _middle(text, cells, 0)


def _middle(text: str, cells: int, tail: int) -> str:
    if cell_len(text) <= cells:
        return text
    start = len(text)
    while start and cell_len(text[start - 1 :]) <= tail:
        start -= 1
    end = text[start:].lstrip()
    return set_cell_size(text, cells - 1 - cell_len(end)).rstrip() + "…" + end


def dollars(value: int) -> str:
    """Return micros of a dollar in cents, the sign before the dollar: ``-$37.52``."""
    return f"{'-' if value < 0 else ''}${abs(value) / 1_000_000:,.2f}"


def span(duration: float) -> str:
    """Return ns in readable units: ``350 ms``, ``12.3 s``, ``12m 05s``, ``5h 03m``, ``3d 04h``."""
    sign, seconds = ("-", -duration / _S) if duration < 0 else ("", duration / _S)
    if seconds < 1:
        return f"{sign}{seconds * 1_000:.{0 if seconds >= 0.01 or seconds == 0 else 2}f} ms"
    if seconds < 120:
        return f"{sign}{seconds:.1f} s"
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    if hours < 2:
        return f"{sign}{minutes}m {int(seconds % 60):02}s"
    if hours < 48:
        return f"{sign}{hours}h {minutes % 60:02}m"
    return f"{sign}{hours // 24}d {hours % 24:02}h"


def volume(size: float) -> str:
    """Return bytes in readable decimal units."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(size) < 1_000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1_000
    return f"{size:.1f} TB"


def _number(column: Column, value: float) -> str:
    match column.kind:
        case "int":
            return f"{int(value):,}"
        case "micros":
            return f"{value / 1_000_000:,.{column.places}f}"
        case "percent":
            return f"{value * 100:.{column.places}f} %"
        case "duration":
            return span(value)
        case "time":
            return _moment(int(value), "%Y-%m-%d %H:%M:%S")
        case "bytes":
            return volume(value)
        case "bar":
            return f"{bar(value)} {value:.{column.places}f}"
        case _:
            return f"{value * column.factor:,.{column.places}f}"


def _moment(nanoseconds: int, pattern: str) -> str:
    try:
        return datetime.fromtimestamp(nanoseconds / _S, tz=UTC).strftime(pattern)
    except (OverflowError, OSError, ValueError):  # a venue may close a market in the year 60000
        return f"{nanoseconds} ns"
