"""The page of one market: where it stands, its mid over the time, every statistic with its unit."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from predsurv.mine.report.charts import mid_chart
from predsurv.mine.report.contents import UNKNOWN, StatsReport, link, safe

GROUPS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (
        "Observation",
        (
            *("observed_s", "trusted_s", "gap_", "coverage_share", "trades_obs", "trades_miss", "trades_gap"),
            *("life", "visits", "incl"),
        ),
    ),
    ("Updates", ("updates", "wait_", "stale_", "message_", "late_")),
    ("Spread", ("two_sided_share", "crossed_share", "spread_")),
    ("Mid", ("mid_", "microprice_", "volatility_", "jumps")),
    ("Depth", ("bid_touch", "ask_touch", "bid_depth", "ask_depth", "depth_", "cost_", "tradable_")),
    ("What foretells the mid", ("imbalance", "queue_imbalance", "order_flow", "correlation_")),
    ("Outcomes together", ("outcome_",)),
    ("Trades", ("trades", "volume_", "notional_", "trade_", "taker_", "effective_", "realised_", "markout_")),
    ("For makers", ("resilience_", "quote_fill", "queue_half")),
)
"""Titles with the beginnings of the columns below them; a column is in the first group that names it."""

_CENTS: Final = 100


def market_page(report: StatsReport, number: int) -> str:
    """Return the page of entry ``number``, counted from 1, as a part of the document that opens by its address."""
    entry = report.entries[number - 1]
    row = entry.stats
    around = "".join(
        f'<a href="#m{other}">{text}</a>'
        for other, text in ((number - 1, "‹ before"), (number + 1, "after ›"))
        if 1 <= other <= len(report.entries)
    )
    names = " · ".join(safe(each) for each in (entry.outcome, entry.category, str(row["instrument_id"])) if each)
    return (
        f'<article class="market" id="m{number}"><nav><a href="#all">all markets</a>{around}</nav>'
        f"<h1>{number}. {link(entry.question, entry.url)}</h1><p>{names}</p>"
        f"<h2>Mid, cents (UTC)</h2>{mid_chart(entry.path, report.start, report.end)}"
        "<p>Grey: not observed. Where the line breaks, no mid was known.</p>"
        f'<div class="groups">{"".join(_groups(row))}{_score(row, report.weights)}</div></article>'
    )


def _groups(row: Mapping[str, Any]) -> Iterator[str]:
    taken: set[str] = {"market_id", "instrument_id"}
    for title, prefixes in GROUPS:
        names = [name for name in row if name.startswith(prefixes) and name not in taken]
        taken.update(names)
        yield _group(title, [(name, row[name]) for name in names])


def _group(title: str, values: Sequence[tuple[str, Any]]) -> str:
    known = [(name, value) for name, value in values if value is not None and (value or not _is_reason(name))]
    rows = "".join(f"<tr><td>{_words(name)}<td>{formatted(name, value)}" for name, value in known)
    silent = ", ".join(_words(name) for name, value in values if value is None and not _is_silent(name))
    return f"<section><h2>{title}</h2><table>{rows}</table>{f'<p>Not known: {silent}.</p>' if silent else ''}</section>"


def _is_reason(name: str) -> bool:
    """Return whether a column is time lost for one reason: worth a line where there is any."""
    return "gap_" in name and name != "gap_s"


def _is_silent(name: str) -> bool:
    return name.endswith("_missing") or _is_reason(name)


def _score(row: Mapping[str, Any], weights: Mapping[str, float]) -> str:
    parts = "".join(
        f"<tr><td>{name.replace('_', '-')}<td>{_percent(row.get(f'percentile_{name}'))}<td>{weight:.0%}"
        f"<td>{(row.get(f'score_{name}') or 0.0) * weight:.3f}"
        for name, weight in weights.items()
        if weight > 0
    )
    before = "" if row.get("previous_rank") is None else f"; {row['previous_rank']} the day before"
    return (
        f"<section><h2>Score {row['score']:.3f}</h2><table><tr><th class=l>Part<th>Better than<th>Weight<th>Points"
        f"{parts}</table><p>Evidence {_percent(row['evidence'])}; rank {row.get('rank') or UNKNOWN}{before}.</p>"
        "</section>"
    )


def formatted(name: str, value: Any) -> str:
    """Return a value of a column of the statistics with the unit that the end of the column's name says."""
    if isinstance(value, str):
        return safe(value.replace("_", " "))
    plain = name.removesuffix("_se")
    for ending, unit in _UNITS:
        if plain.endswith(ending):
            return f"{value:,.{_places(value)}f} {unit}".strip()
    if plain.endswith(("_usd", "_usd_per_sqrt_hour")):
        per = "/√h" if plain.endswith("hour") else ""
        return f"${value:,.2f}{per}" if abs(value) >= 1 else f"{value * _CENTS:,.2f} ¢{per}"
    if plain.endswith(("_share", "_relative")) or plain in ("evidence", "inclusion"):
        return _percent(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.{_places(value)}f}"


_UNITS: Final = (
    ("_per_s", "1/s"),
    ("_usd_per_hour", "$/h"),
    ("_shares_per_hour", "shares/h"),
    ("_per_hour", "1/h"),
    ("_shares_per_cent", "shares/¢"),
    ("_correlation_10s", ""),
    ("_s", "s"),
    ("_ms", "ms"),
    ("_ticks", "ticks"),
    ("_shares", "shares"),
)


_ENDINGS: Final = (
    "_per_sqrt_hour", "_per_hour", "_per_cent", "_per_s", "_usd", "_shares", "_share", "_ticks", "_ms", "_s"
)  # fmt: skip
"""Units at the end of the columns' names, in the order in which they are taken away."""


def _places(value: float) -> int:
    return 0 if abs(value) >= 1_000 else 1 if abs(value) >= 100 else 2 if abs(value) >= 0.1 or value == 0 else 4


def _percent(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value * 100:.1f} %"


def _words(name: str) -> str:
    """Return what a column is, without the unit, which its value has."""
    plain = name.removesuffix("_se")
    for ending in _ENDINGS:
        plain = plain.removesuffix(ending)
    return f"{plain.replace('_', ' ')}{' ± standard error' if name.endswith('_se') else ''}"


def market_pages(report: StatsReport) -> Iterable[str]:
    """Yield the page of every entry."""
    return (market_page(report, number) for number in range(1, len(report.entries) + 1))
