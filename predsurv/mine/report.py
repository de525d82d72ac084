"""A day's statistics as one self-contained HTML page: no script, no external request, all venue text escaped."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from itertools import cycle
from typing import Any, Final

from msgspec import Struct

from predsurv.core.text import sanitise

PATH_WIDTH: Final = 120
PATH_HEIGHT: Final = 32
TITLE_CHARS_MAX: Final = 160
UNKNOWN: Final = "–"

# One hue per component, light enough for dark text and distinct for the colour-blind (Okabe–Ito).
_HUES: Final = ("#0072B2", "#E69F00", "#CC79A7", "#009E73", "#56B4E9", "#F0E442", "#999999", "#D55E00")

_STYLE: Final = """
:root{color-scheme:light dark;--ink:#1a1a1a;--dim:#666;--line:#ddd;--paper:#fff;--head:#f6f6f6}
@media(prefers-color-scheme:dark){:root{--ink:#e8e8e8;--dim:#999;--line:#333;--paper:#161616;--head:#202020}}
body{font:14px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:2rem auto;max-width:1400px;
padding:0 1rem}h1{font-size:1.5rem;margin:0 0 .2rem}h2{font-size:1.05rem;margin:2rem 0 .4rem}
p{margin:.2rem 0;color:var(--dim);max-width:75ch}
dl{display:flex;flex-wrap:wrap;gap:.5rem 2.5rem;margin:1.2rem 0}dt{color:var(--dim);font-size:.8rem}
dd{margin:0;font-size:1.25rem;font-variant-numeric:tabular-nums}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%}
th{text-align:right;font-weight:500;color:var(--dim);background:var(--head);position:sticky;top:0;vertical-align:bottom;
padding:.35rem .4rem;white-space:nowrap}td{text-align:right;padding:.3rem .4rem;border-top:1px solid var(--line);
font-variant-numeric:tabular-nums;white-space:nowrap}
th.l,td.l{text-align:left}td.q{white-space:normal;min-width:13rem;max-width:30rem;overflow-wrap:anywhere}
small{color:var(--dim);display:block;font-weight:400}
svg{display:block}.key span{display:inline-block;margin-right:1.2rem;white-space:nowrap}
.key i{display:inline-block;width:.8em;height:.8em;margin-right:.35em;border-radius:2px;vertical-align:-.05em}
"""


class ReportRow(Struct, frozen=True):
    """One instrument of the report: statistics by column, display names, mid over the day."""

    stats: Mapping[str, Any]
    question: str
    outcome: str
    category: str
    path: Sequence[float | None]


class StatsReport(Struct, frozen=True):
    """The content of the page; ``facts`` are the (label, text) figures at its top, ``notes`` what is not known."""

    venue: str
    date: str
    facts: Sequence[tuple[str, str]]
    entries: Sequence[ReportRow]
    weights: Mapping[str, float]
    span: str
    notes: Sequence[str] = ()


def page(report: StatsReport) -> str:
    """Return the page as HTML."""
    name = f"{_safe(report.venue)} on {_safe(report.date)}"
    facts = "".join(f"<div><dt>{_safe(label)}</dt><dd>{_safe(text)}</dd></div>" for label, text in report.facts)
    rows = "".join(_row(rank, entry, report.weights) for rank, entry in enumerate(report.entries, 1))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer"><title>predsurv: {name}</title><style>{_STYLE}</style></head>
<body><h1>Most interesting markets: {name}</h1>
<p>Every rate and average is over the time that was observed; gaps count as nothing, not as quiet.
Mid over the recorded time: {_safe(report.span)}; where the line breaks, nothing is known.</p>
<dl>{facts}</dl>{_notes(report.notes)}
<div class="wide"><table><thead><tr>{_header()}</tr></thead><tbody>{rows}</tbody></table></div>
<h2>What the score is made of</h2><p class="key">{_key(report.weights)}</p>
<p>Each part is the share of the other instruments that are worse, times its evidence (seconds observed / (seconds +
120)), times its weight; a full bar would be a score of 1.</p> </body></html>
"""


def _notes(phrases: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(sanitise(phrase))}</li>' for phrase in phrases)}</ul>" if phrases else ""


def line_chart(path: Sequence[float | None]) -> str:
    """Return mids in equal time steps as an SVG line, broken where None."""
    known = [value for value in path if value is not None]
    if not known:
        return UNKNOWN
    low, high = min(known), max(known)
    scale = (PATH_HEIGHT - 4) / ((high - low) or 1.0)
    step = PATH_WIDTH / max(len(path) - 1, 1)
    runs = "".join(_run(run, low, scale, step) for run in _runs(path))
    return (
        f'<svg role="img" width="{PATH_WIDTH}" height="{PATH_HEIGHT}" viewBox="0 0 {PATH_WIDTH} {PATH_HEIGHT}">'
        f"<title>mid from {low:.3f} to {high:.3f}</title>{runs}</svg>"
    )


def score_bar(stats: Mapping[str, Any], weights: Mapping[str, float]) -> str:
    """Return the score as an SVG bar of its weighted components."""
    offset, parts = 0.0, []
    for hue, name in _coloured(weights):
        width = (stats[f"score_{name}"] or 0.0) * weights[name] * 100
        parts.append(
            f'<rect x="{offset:.2f}" width="{width:.2f}" height="12" fill="{hue}"><title>{name}</title></rect>'
        )
        offset += width
    frame = '<rect width="100" height="12" fill="none" stroke="currentColor" stroke-opacity=".25"/>'
    return f'<svg role="img" width="100" height="12">{"".join(parts)}{frame}</svg>'


_COLUMNS: Final = (
    ("Observed", "s", "observed_s", 1.0, 0),
    ("Gaps", "s", "gap_s", 1.0, 0),
    ("Evidence", "%", "evidence", 100.0, 0),
    ("Updates", "1/s", "updates_per_s", 1.0, 2),
    ("Mid", "¢", "mid_usd", 100.0, 1),
    ("Spread", "¢", "spread_usd", 100.0, 2),
    ("Spread", "ticks", "spread_ticks", 1.0, 1),
    ("Volatility", "¢/√h", "volatility_usd_per_sqrt_hour", 100.0, 2),
    ("Bid depth", "5 ¢", "bid_depth_5c_shares", 1.0, 0),
    ("Ask depth", "5 ¢", "ask_depth_5c_shares", 1.0, 0),
    ("Cost of", "$1,000", "cost_1000_usd", 1.0, 2),
    ("Trades", "", "trades", 1.0, 0),
    ("Notional", "$", "notional_usd", 1.0, 0),
    ("Eff. spread", "¢", "effective_spread_usd", 100.0, 2),
    ("Stale", "%", "stale_share", 100.0, 1),
)


def _header() -> str:
    fixed = '<th>#</th><th class="l">Market</th><th class="l">Score</th><th class="l">Mid over time</th>'
    return fixed + "".join(f"<th>{title}<small>{unit or '&nbsp;'}</small></th>" for title, unit, *_ in _COLUMNS)


def _row(rank: int, entry: ReportRow, weights: Mapping[str, float]) -> str:
    score = entry.stats["score"]
    cells = "".join(f"<td>{_number(entry.stats[key], factor, places)}</td>" for _, _, key, factor, places in _COLUMNS)
    return (
        f'<tr><td>{rank}</td><td class="l q">{_safe(entry.question)}<small>{_safe(entry.outcome)} · '
        f'{_safe(entry.category)}</small></td><td class="l">{score:.3f}{score_bar(entry.stats, weights)}</td>'
        f'<td class="l">{line_chart(entry.path)}</td>{cells}</tr>'
    )


def _number(value: float | None, factor: float, places: int) -> str:
    return UNKNOWN if value is None else f"{value * factor:,.{places}f}"


def _key(weights: Mapping[str, float]) -> str:
    return "".join(
        f'<span><i style="background:{hue}"></i>{name.replace("_", "-")} {weights[name]:.0%}</span>'
        for hue, name in _coloured(weights)
    )


def _coloured(weights: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    """Yield the parts with a weight, each with its colour."""
    return zip(cycle(_HUES), (name for name, weight in weights.items() if weight > 0), strict=False)


def _runs(path: Sequence[float | None]) -> Iterable[list[tuple[int, float]]]:
    run: list[tuple[int, float]] = []
    for index, value in enumerate([*path, None]):
        if value is not None:
            run.append((index, value))
        elif run:
            yield run
            run = []


def _run(run: Sequence[tuple[int, float]], low: float, scale: float, step: float) -> str:
    points = [(index * step, PATH_HEIGHT - 2 - (value - low) * scale) for index, value in run]
    if len(points) == 1:
        return f'<circle cx="{points[0][0]:.1f}" cy="{points[0][1]:.1f}" r="1.5" fill="#0072B2"/>'
    drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{drawn}" fill="none" stroke="#0072B2" stroke-width="1.5"/>'


def _safe(text: str) -> str:
    return escape(sanitise(text, TITLE_CHARS_MAX))
