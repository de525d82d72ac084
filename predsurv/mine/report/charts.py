"""Charts of reports as SVG: mids with their scale and the time that was not observed, the score, calibration."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import cycle
from typing import Any, Final

from msgspec import Struct

from predsurv.core.text import sanitise
from predsurv.mine.report.contents import UNKNOWN, MidPath
from predsurv.store.layout import NS_DAY, utc_text

PATH_WIDTH: Final = 140
PATH_HEIGHT: Final = 34
_CENTS: Final = 100
_SECONDS_TOLD: Final = 600_000_000_000
"""A shorter span (ns) has times with seconds."""

# One hue per component, light enough for dark text and distinct for the colour-blind (Okabe–Ito).
_HUES: Final = ("#0072B2", "#E69F00", "#CC79A7", "#009E73", "#56B4E9", "#F0E442", "#999999", "#D55E00")


class _Box(Struct, frozen=True):
    """Where the values of a chart lie: in pixels, from ``low`` (dollars) at the bottom to ``high`` at the top."""

    left: float
    right: float
    top: float
    bottom: float
    low: float
    high: float

    def x(self, share: float) -> float:
        return self.left + share * (self.right - self.left)

    def y(self, value: float) -> float:
        scale = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.bottom - scale * (self.bottom - self.top)


def sparkline(path: MidPath) -> str:
    """Return mids as a small SVG line with its least and greatest value in cents; grey: not observed."""
    known = [value for value in path.values if value is not None]
    low, high = (min(known), max(known)) if known else (0.0, 0.0)
    box = _Box(0, PATH_WIDTH - 34, 3, PATH_HEIGHT - 3, low, high)
    scale = "" if not known else _label(PATH_WIDTH - 32, 9 if high > low else PATH_HEIGHT / 2 + 3, high)
    scale += _label(PATH_WIDTH - 32, PATH_HEIGHT - 1, low) if high > low else ""
    told = f"mid from {_cents(low)} to {_cents(high)} ¢" if known else "no mid was known"
    return (
        f'<svg role="img" width="{PATH_WIDTH}" height="{PATH_HEIGHT}" viewBox="0 0 {PATH_WIDTH} {PATH_HEIGHT}">'
        f"<title>{told}</title>{''.join(_shades(path, box))}{''.join(_line(path, box))}{scale}</svg>"
    )


def mid_chart(path: MidPath, start: int, end: int) -> str:
    """Return mids as a large SVG chart with axes; ``start`` and ``end`` in ns UTC; grey: not observed."""
    known = [value for value in path.values if value is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    margin = (high - low) * 0.05 or 0.005
    box = _Box(60, 892, 18, 210, low - margin, high + margin)
    parts = [*_shades(path, box)]
    for number in range(5):
        value = box.low + (box.high - box.low) * number / 4
        y = box.y(value)
        parts.append(f'<line class="axis" x1="{box.left}" x2="{box.right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{box.left - 4}" y="{y + 4:.1f}" text-anchor="end">{_cents(value)}</text>')
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        at = start + int((end - start) * share)
        parts.append(f'<text x="{box.x(share):.1f}" y="232" text-anchor="{anchor}">{clock(at, end - start)}</text>')
    parts += _line(path, box)
    return (
        '<svg class="big" role="img" viewBox="0 0 900 238"><title>mid in cents over the time, UTC</title>'
        f"{''.join(parts)}</svg>"
    )


def clock(ts: int, span: int) -> str:
    """Return a time (ns UTC) as precise as a ``span`` of so many ns needs it."""
    text = utc_text(ts)
    if span > NS_DAY:
        return f"{text[5:10]} {text[11:16]}"
    return text[11:19] if span < _SECONDS_TOLD else text[11:16]


def score_bar(stats: Mapping[str, Any], weights: Mapping[str, float]) -> str:
    """Return the score as an SVG bar of its weighted components."""
    offset, parts = 0.0, []
    for hue, name in coloured(weights):
        width = (stats[f"score_{name}"] or 0.0) * weights[name] * 100
        parts.append(
            f'<rect x="{offset:.2f}" width="{width:.2f}" height="12" fill="{hue}"><title>{name}</title></rect>'
        )
        offset += width
    frame = '<rect width="100" height="12" fill="none" stroke="currentColor" stroke-opacity=".25"/>'
    return f'<svg class="bar" role="img" viewBox="0 0 100 12" preserveAspectRatio="none">{"".join(parts)}{frame}</svg>'


def coloured(weights: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    """Yield the colour and name of the parts with a weight."""
    return zip(cycle(_HUES), (name for name, weight in weights.items() if weight > 0), strict=False)


def calibration_chart(outcomes: Sequence[Mapping[str, Any]]) -> str:
    """Return how often what was bought came true by its mean price, with 95 % intervals, beside the even line."""
    box = _Box(40, 392, 8, 300, 0.0, 1.0)
    corners = f'x1="{box.x(0)}" y1="{box.y(0)}" x2="{box.x(1)}" y2="{box.y(1)}"'
    parts = [f'<line class="even" {corners}/>']
    for number in range(5):
        share = number / 4
        y = box.y(share)
        parts.append(f'<line class="axis" x1="{box.left}" x2="{box.right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{box.left - 4}" y="{y + 4:.1f}" text-anchor="end">{share:.0%}</text>')
        parts.append(f'<text x="{box.x(share):.1f}" y="318" text-anchor="middle">{share * _CENTS:.0f} ¢</text>')
    for row in outcomes:
        x, y = box.x(row["mean_price_usd"]), box.y(row["win_rate"])
        error = 1.96 * (row["win_rate_error"] or 0.0)
        top, bottom = (box.y(min(max(row["win_rate"] + each, 0.0), 1.0)) for each in (error, -error))
        said = f"{row['price_cents']} ¢: {row['win_rate']:.1%} of {row['shares']:,.0f} shares"
        parts.append(f'<line class="mid" x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{bottom:.1f}"/>')
        parts.append(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{sanitise(said)}</title></circle>')
    return (
        '<svg class="square" role="img" viewBox="0 0 420 324"><title>share that paid by price'
        f"</title>{''.join(parts)}</svg>"
    )


def _shades(path: MidPath, box: _Box) -> Iterator[str]:
    for start, end in path.gaps:
        left, right = box.x(start), box.x(end)
        yield (
            f'<rect class="gap" x="{left:.1f}" y="{box.top}" width="{max(right - left, 0.8):.1f}" '
            f'height="{box.bottom - box.top}"/>'
        )


def _line(path: MidPath, box: _Box) -> Iterator[str]:
    """Yield the line, broken where no mid was known; a value alone is a dot."""
    for run in _runs(path.values):
        points = [(box.x((index + 0.5) / len(path.values)), box.y(value)) for index, value in run]
        if len(points) == 1:
            yield f'<circle class="dot" cx="{points[0][0]:.1f}" cy="{points[0][1]:.1f}" r="1.5"/>'
        else:
            yield f'<polyline class="mid" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'


def _runs(values: Sequence[float | None]) -> Iterable[list[tuple[int, float]]]:
    run: list[tuple[int, float]] = []
    for index, value in enumerate([*values, None]):
        if value is not None:
            run.append((index, value))
        elif run:
            yield run
            run = []


def _label(x: float, y: float, value: float) -> str:
    return f'<text x="{x}" y="{y}">{_cents(value)} ¢</text>'


def _cents(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value * _CENTS:.1f}"
