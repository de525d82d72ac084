"""What a benchmark has measured, as one structure: shown as a table here, written as JSON for the page of figures.

A module of this package that measures has ``measure(words)``, which takes the words of its command line and returns
comparisons, and ends with ``sys.exit(figures.main(measure))``. Every such command takes ``--json FILE`` besides.
"""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table

Measure = Callable[[Sequence[str]], Sequence["Comparison"]]

_JSON: Final = "--json"
_QUANTILES: Final = ((0.5, "median"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"))


class Goal(Struct, frozen=True):
    """What a figure shall be: at least or at most ``bound``, which its value or its ratio is compared with."""

    sign: Literal["≥", "≤"]
    bound: float
    of: Literal["value", "ratio"] = "ratio"


class Figure(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that was measured: ``value`` in ``unit``, and how it compares with the contender of ratio 1, if any."""

    what: str
    value: float
    unit: str
    ratio: float | None = None
    goal: Goal | None = None

    @property
    def met(self) -> bool | None:
        """Whether the goal is met, None without one."""
        if self.goal is None:
            return None
        found = self.value if self.goal.of == "value" else self.ratio
        if found is None:
            return False
        return found >= self.goal.bound if self.goal.sign == "≥" else found <= self.goal.bound


class Comparison(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Figures that were measured together.

    ``method``: what was counted, and how; ``rounds``: of which the median is told; ``ratio``: what a ratio says;
    ``left_out``: contenders that were not there, and why; ``failed``: what had to hold and did not.
    """

    title: str
    method: str
    figures: tuple[Figure, ...] = ()
    rounds: int = 1
    ratio: str = ""
    left_out: tuple[str, ...] = ()
    failed: str = ""

    @property
    def bad(self) -> bool:
        """Whether a check failed or a goal is missed."""
        return bool(self.failed) or any(each.met is False for each in self.figures)


def main(measure: Measure) -> int:
    """Measure by the words of the command line and show it; return 1 when a check failed or a goal is missed."""
    words = sys.argv[1:]
    path = None
    if _JSON in words:
        at = words.index(_JSON)
        path, words = Path(words[at + 1]), words[:at] + words[at + 2 :]
    found = measure(words)
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, Python {sys.version.split()[0]}\n")
    for each in found:
        show(console, each)
    if path is not None:
        path.write_bytes(msgspec.json.encode(found))
    return int(any(each.bad for each in found))


def show(console: Console, found: Comparison) -> None:
    """Print a comparison as a table."""
    table = Table(title=found.title, title_justify="left")
    for name in ("contender", "figure", "unit", found.ratio or "ratio", "goal"):
        table.add_column(name, justify="right" if name == "figure" else "left")
    for each in found.figures:
        table.add_row(each.what, number(each.value), each.unit, number(each.ratio), goal_text(each))
    console.print(f"{found.method}{f'; medians of {found.rounds} rounds' if found.rounds > 1 else ''}", markup=False)
    if found.figures:
        console.print(table)
    for line in found.left_out:
        console.print(f"left out: {line}", markup=False)
    if found.failed:
        console.print(f"failed: {found.failed}", markup=False)
    console.print()


def number(value: float | None) -> str:
    """Return a figure with three digits that count: ``0.0123``, ``4.57``, ``123,456``; "" for none."""
    if value is None:
        return ""
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 1 else f"{value:.3g}"


def goal_text(figure: Figure) -> str:
    """Return the goal of a figure and whether it is met, "" without one."""
    if figure.goal is None:
        return ""
    return f"{figure.goal.sign} {figure.goal.bound:g}: {'met' if figure.met else 'not met'}"


def quantiles(what: str, times_ns: Sequence[int], goal_us: float | None = None) -> tuple[Figure, ...]:
    """Return the quantiles of times in µs; the goal is one of the 99th percentile."""
    ordered = sorted(times_ns)
    found = []
    for share, name in _QUANTILES:
        value = ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1_000
        goal = Goal("≤", goal_us, "value") if goal_us is not None and share == 0.99 else None
        found.append(Figure(what=f"{what}, {name}", value=value, unit="µs", goal=goal))
    return tuple(found)


def rate(
    what: str, count: float, seconds: float, unit: str, *, ratio: float | None = None, goal: Goal | None = None
) -> Figure:
    """Return ``count`` things in ``seconds`` as a figure per second."""
    return Figure(what=what, value=count / seconds, unit=unit, ratio=ratio, goal=goal)
