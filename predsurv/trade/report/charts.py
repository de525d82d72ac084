"""Charts as SVG text: lines over time with gaps shaded and marks on them; no script, colours from the page's style."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Final

from msgspec import Struct

WIDTH: Final = 720
_LEFT: Final = 86  # room for the labels of the value axis
_RIGHT: Final = 8
_TOP: Final = 14
_BOTTOM: Final = 20  # room for the labels of the time axis
_GRID_LINES: Final = 4
_WHOLE_STEP: Final = 10
"""Least distance of two labels of the value axis at which thousands are told without decimals."""

Value = float | None


class Line(Struct, frozen=True):
    """Values at the chart's times, broken where None; ``style`` is a class of the page's style sheet."""

    values: Sequence[Value]
    style: str
    label: str = ""


class Dot(Struct, frozen=True):
    """A mark at ``ts`` and ``value``; ``title`` is shown when it is pointed at."""

    ts: int
    value: float
    style: str
    title: str


class Chart(Struct, frozen=True, kw_only=True):
    """What to draw over ``times`` (ns UTC, ascending).

    ``shaded``: spans of time (from, to) in which nothing is known. ``unit`` goes before the labels of the value axis.
    ``filled``: the first line's area down to 0 is coloured.
    """

    times: Sequence[int]
    lines: Sequence[Line]
    title: str
    dots: Sequence[Dot] = ()
    shaded: Sequence[tuple[int, int]] = ()
    height: int = 180
    unit: str = "$"
    places: int = 2
    filled: bool = False


class _Scales:
    """From times and values to pixels."""

    def __init__(self, chart: Chart) -> None:
        known = [value for line in chart.lines for value in line.values if value is not None]
        known += [dot.value for dot in chart.dots]
        low, high = (min(known), max(known)) if known else (0.0, 1.0)
        if chart.filled:
            low, high = min(low, 0.0), max(high, 0.0)
        margin = (high - low) * 0.05 or abs(high) * 0.01 or 1.0
        self.low = low if chart.filled and low == 0 < high else low - margin
        self.high = high if chart.filled and high == 0 > low else high + margin
        self._start, self._span = chart.times[0], max(chart.times[-1] - chart.times[0], 1)
        self.bottom = chart.height - _BOTTOM

    def x(self, ts: int) -> float:
        share = min(max((ts - self._start) / self._span, 0.0), 1.0)
        return _LEFT + share * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return self.bottom - (value - self.low) / (self.high - self.low) * (self.bottom - _TOP)


def svg(chart: Chart) -> str:
    """Return the chart, which scales with the page; a sentence where there are no times."""
    if len(chart.times) < 2:
        return f"<p>{escape(chart.title)}: too short to draw.</p>"
    scales = _Scales(chart)
    parts = [*_grid(chart, scales), *_shades(chart, scales)]
    for line in chart.lines:
        parts += _line(chart, line, scales)
    parts += (_dot(dot, scales) for dot in chart.dots)
    return (
        f'<svg role="img" viewBox="0 0 {WIDTH} {chart.height}" preserveAspectRatio="xMidYMid meet">'
        f"<title>{escape(chart.title)}</title>{''.join(parts)}</svg>"
    )


def _grid(chart: Chart, scales: _Scales) -> Iterable[str]:
    largest, step = max(abs(scales.low), abs(scales.high)), (scales.high - scales.low) / _GRID_LINES
    places = 0 if largest >= 1_000_000 or (largest >= 1_000 and step >= _WHOLE_STEP) else chart.places
    for number in range(_GRID_LINES + 1):
        value = scales.low + (scales.high - scales.low) * number / _GRID_LINES
        y = scales.y(value)
        label = f"{'-' if value < 0 else ''}{chart.unit}{abs(value):,.{places}f}"
        yield f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="tick" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{escape(label)}</text>'
    first, last = chart.times[0], chart.times[-1]
    for ts, anchor in ((first, "start"), ((first + last) // 2, "middle"), (last, "end")):
        text = clock(ts, last - first)
        yield f'<text class="tick" x="{scales.x(ts):.1f}" y="{chart.height - 5}" text-anchor="{anchor}">{text}</text>'


def _shades(chart: Chart, scales: _Scales) -> Iterable[str]:
    for start, end in chart.shaded:
        left, right = scales.x(start), scales.x(end)
        yield (
            f'<rect class="gap" x="{left:.1f}" y="{_TOP}" width="{max(right - left, 1.0):.1f}" '
            f'height="{scales.bottom - _TOP}"><title>not known</title></rect>'
        )


def _line(chart: Chart, line: Line, scales: _Scales) -> Iterable[str]:
    for run in _runs(chart.times, line.values):
        points = [f"{scales.x(ts):.1f},{scales.y(value):.1f}" for ts, value in run]
        if chart.filled and line is chart.lines[0]:
            zero = scales.y(0.0)
            first, last = scales.x(run[0][0]), scales.x(run[-1][0])
            area = f"{first:.1f},{zero:.1f} {' '.join(points)} {last:.1f},{zero:.1f}"
            yield f'<polygon class="{line.style} area" points="{area}"/>'
        if len(points) == 1:
            points *= 2
        yield f'<polyline class="{line.style}" points="{" ".join(points)}"/>'


def _runs(times: Sequence[int], values: Sequence[Value]) -> Iterable[list[tuple[int, float]]]:
    run: list[tuple[int, float]] = []
    for ts, value in zip(times, values, strict=True):
        if value is not None:
            run.append((ts, value))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _dot(dot: Dot, scales: _Scales) -> str:
    place = f'cx="{scales.x(dot.ts):.1f}" cy="{scales.y(dot.value):.1f}" r="4"'
    return f'<circle class="{dot.style}" {place}><title>{escape(dot.title)}</title></circle>'


def clock(ts: int, span: int) -> str:
    """Return a time (ns UTC) as precise as a ``span`` of so many ns needs it."""
    from_epoch = datetime.fromtimestamp(ts // 1_000_000_000, UTC)
    return from_epoch.strftime("%H:%M:%S" if span < 7_200 * 1_000_000_000 else "%d %b %H:%M")
