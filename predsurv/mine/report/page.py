"""Statistics as one self-contained HTML page: the ranking, sortable, a page for each market, calibration.

It asks for nothing from anywhere; its one script sorts tables; all text of venues is escaped.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from predsurv.core.text import sanitise
from predsurv.mine.report.charts import calibration_chart, clock, coloured, score_bar, sparkline
from predsurv.mine.report.contents import UNKNOWN, ReportRow, StatsReport, link, safe
from predsurv.mine.report.market_page import market_pages
from predsurv.mine.report.style import document


def page(report: StatsReport) -> str:
    """Return the page as HTML."""
    name = f"{safe(report.venue)} on {safe(report.date)}"
    facts = "".join(f"<div><dt>{safe(label)}</dt><dd>{safe(text)}</dd></div>" for label, text in report.facts)
    rows = "".join(_row(rank, entry, report.weights) for rank, entry in enumerate(report.entries, 1))
    body = f"""<main id="all"><h1>Most interesting markets: {name}</h1>
<p>Every rate and average is over the time that was observed; gaps count as nothing, not as quiet.
Mids are from {_span(report)} UTC; grey was not observed, and where the line breaks no mid was known.
A column sorts by its head; the market's name opens its page.</p>
<dl>{facts}</dl>{_notes(report.notes)}
<div class="wide"><table class="sorted"><thead><tr>{_header()}</tr></thead><tbody>{rows}</tbody></table></div>
<h2>What the score is made of</h2><p class="key">{_key(report.weights)}</p>
<p>Each part is the share of the other instruments that are worse, times its evidence (seconds observed / (seconds +
120)), times its weight; a full bar would be a score of 1.</p>{_calibration(report.outcomes)}</main>
{"".join(market_pages(report))}"""
    return document(name, body)


def _span(report: StatsReport) -> str:
    length = report.end - report.start
    return f"{clock(report.start, length)} to {clock(report.end, length)}"


def _notes(phrases: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(sanitise(phrase))}</li>' for phrase in phrases)}</ul>" if phrases else ""


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
    fixed = (
        f"<th>{_button('#')}</th>"
        f'<th class="l">{_button("Market")}</th><th class="l">{_button("Score")}</th><th class="l">Mid over time</th>'
    )
    return fixed + "".join(
        f'<th class="more">{_button(title)}<small>{unit or "&nbsp;"}</small></th>' for title, unit, *_ in _COLUMNS
    )


def _button(text: str) -> str:
    return f'<button type="button">{text}</button>'


def _row(rank: int, entry: ReportRow, weights: Mapping[str, float]) -> str:
    score = entry.stats["score"]
    cells = "".join(_cell(entry.stats[key], factor, places) for _, _, key, factor, places in _COLUMNS)
    names = " · ".join(safe(each) for each in (entry.outcome, entry.category) if each)
    venue = "" if entry.url is None else f" · {link('at the venue', entry.url)}"
    return (
        f'<tr><td data-v="{rank}">{rank}</td><td class="l q" data-v="{safe(entry.question)}">'
        f'<a href="#m{rank}">{safe(entry.question)}</a><small>{names}{venue}</small></td>'
        f'<td class="l" data-v="{score}">{score:.3f}{score_bar(entry.stats, weights)}</td>'
        f'<td class="l">{sparkline(entry.path)}</td>{cells}</tr>'
    )


def _cell(value: float | None, factor: float, places: int) -> str:
    if value is None:
        return f'<td class="more">{UNKNOWN}</td>'
    return f'<td class="more" data-v="{value:.6g}">{value * factor:,.{places}f}</td>'


def _key(weights: Mapping[str, float]) -> str:
    return "".join(
        f'<span><i style="background:{hue}"></i>{name.replace("_", "-")} {weights[name]:.0%}</span>'
        for hue, name in coloured(weights)
    )


def _calibration(outcomes: Sequence[Mapping[str, Any]]) -> str:
    """Return what takers bought by price and how often it paid, of the markets that have settled since."""
    ranges = [row for row in outcomes if row["price_cents"] != "all"]
    if not ranges:
        return "<h2>Calibration</h2><p>No market with trades has settled, as far as the recording has heard.</p>"
    rows = "".join(
        f'<tr><td class="l">{safe(row["price_cents"])} ¢</td><td class="more">{row["trades"]:,}</td>'
        f"<td>{row['markets']:,}</td><td>{row['mean_price_usd'] * 100:.1f} ¢</td><td>{row['win_rate']:.1%}</td>"
        f"<td>{_error(row)}</td><td>{row['taker_return']:+.1%}</td></tr>"
        for row in ranges
    )
    heads = ("Markets", "Mean price", "Paid", "± (95 %)", "Return of takers")
    return (
        "<h2>Calibration: how often what takers bought has paid</h2>"
        "<p>Trades of markets that have settled since, before fees. On the broken line prices were right.</p>"
        f'{calibration_chart(ranges)}<div class="wide"><table><thead><tr><th class="l">Price</th>'
        '<th class="more">Trades</th>'
        f"{''.join(f'<th>{head}</th>' for head in heads)}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _error(row: Mapping[str, Any]) -> str:
    """Return the half-width of the interval; unknown where all paid alike, of which markets say nothing."""
    return f"{1.96 * row['win_rate_error']:.1%}" if row["win_rate_error"] else UNKNOWN
