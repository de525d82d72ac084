"""A run as one self-contained HTML page: no script, no external request, all text of venues escaped."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from predsurv.core.events import Fill
from predsurv.core.ids import InstrumentKey, MarketId, VenueName
from predsurv.core.num import MICROS, format_micros
from predsurv.core.text import sanitise
from predsurv.store.universe import iso_second
from predsurv.trade.report.charts import Chart, Dot, Line, svg
from predsurv.trade.report.markup import TITLE_CHARS_MAX, dollars, safe, signed, table
from predsurv.trade.report.twin import beside_twin
from predsurv.trade.results.ratios import fill_ratio, hit_rate, sharpe
from predsurv.trade.results.result import MarketResult, RunResult
from predsurv.trade.results.sampling import EquityCurve, PricePath
from predsurv.trade.results.tally import Tally
from predsurv.trade.runs.beside import TwinBeside
from predsurv.trade.runs.info import RunInfo

MARKETS_MAX: Final = 500
"""Most rows of the table of markets: those that earned or lost most."""
PRICE_CHARTS_MAX: Final = 12
FILLS_MAX: Final = 400
"""Most fills drawn on one chart: the latest."""
UNKNOWN: Final = "–"

_STYLE: Final = """
:root{color-scheme:light dark;--ink:#1a1a1a;--dim:#666;--line:#ddd;--paper:#fff;--head:#f6f6f6;--a:#0072B2;--b:#D55E00;
--good:#00734f;--bad:#b33a00;--gap:#8884}
@media(prefers-color-scheme:dark){:root{--ink:#e8e8e8;--dim:#9a9a9a;--line:#333;--paper:#161616;--head:#202020;
--a:#56B4E9;--b:#E69F00;--good:#3ecf9f;--bad:#ff8a5c;--gap:#aaa3}}
*{box-sizing:border-box}
body{font:14px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:1.5rem auto;max-width:1200px;
padding:0 1rem}h1{font-size:1.4rem;margin:0 0 .2rem;overflow-wrap:anywhere}h2{font-size:1.05rem;margin:2rem 0 .4rem}
h3{font-size:.95rem;margin:1rem 0 .2rem;font-weight:600;overflow-wrap:anywhere}
p{margin:.2rem 0;color:var(--dim);max-width:75ch}.warn{color:var(--bad)}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(9.5rem,1fr));gap:.6rem 1.2rem;margin:1rem 0}
dt{color:var(--dim);font-size:.8rem}dd{margin:0;font-size:1.15rem;font-variant-numeric:tabular-nums}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%}
th{text-align:right;font-weight:500;color:var(--dim);background:var(--head);padding:.35rem .5rem;white-space:nowrap}
td{text-align:right;padding:.3rem .5rem;border-top:1px solid var(--line);font-variant-numeric:tabular-nums;
white-space:nowrap}th.l,td.l{text-align:left}td.q{white-space:normal;min-width:14rem;overflow-wrap:anywhere}
a{color:var(--a)}.good{color:var(--good)}.bad{color:var(--bad)}
svg{display:block;width:100%;height:auto;max-width:1000px}svg text{fill:var(--dim);font-size:11px}
polyline{fill:none;stroke-width:1.6}.equity{stroke:var(--a)}.down{stroke:var(--b)}.exposure{stroke:var(--a)}
polygon{stroke:none}.down.area{fill:var(--b);fill-opacity:.2}.exposure.area{fill:var(--a);fill-opacity:.15}
.grid{stroke:var(--line)}.gap{fill:var(--gap)}.buy{fill:var(--good)}.sell{fill:var(--bad)}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,30rem),1fr));gap:0 1.5rem}
@media(max-width:480px){body{padding:0 .6rem}svg text{font-size:16px}dd{font-size:1.05rem}}
"""


class RunReport(Struct, frozen=True):
    """What the page shows of a run: its ``fills`` in order of time, ``state`` in words, and its paper ``twin``."""

    info: RunInfo
    state: str
    result: RunResult
    fills: Sequence[Fill]
    twin: TwinBeside | None = None


def page(report: RunReport) -> str:
    """Return the page as HTML."""
    name = f"Run {safe(report.info.run)}"
    body = "".join(part(report) for part in _PARTS)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer"><title>predsurv: {name}</title><style>{_STYLE}</style></head>
<body><h1>{name}</h1>{body}</body></html>
"""


def _head(report: RunReport) -> str:
    info = report.info
    what = f"{', '.join(info.strategies)} on {', '.join(info.venues)}, {info.mode}, started {iso_second(info.started)}"
    warning = "" if info.complete else f'<p class="warn">Not complete: {safe(report.state)}.</p>'
    notes = "".join(f"<li>{safe(each, 400)}</li>" for each in info.notes)
    return f"<p>{safe(what, 400)}</p>{warning}{f'<ul>{notes}</ul>' if notes else ''}"


def _facts(report: RunReport) -> str:
    result = report.result
    total, ratio = result.total, sharpe(result.curve, result.equity_start)
    facts = [
        ("Profit", dollars(total.profit)),
        ("Realised", dollars(total.realised)),
        ("Unrealised", dollars(total.at_bid - total.opening)),
        ("Fees", dollars(total.fees)),
        ("Rebates", dollars(total.rebates)),
        ("Equity", dollars(result.equity)),
        ("Equity at mid", dollars(result.at_mid)),
        ("Equity at liquidation", dollars(result.at_liquidation)),
        ("Largest drawdown", dollars(result.curve.drawdown)),
        ("Turnover", dollars(total.turnover)),
        ("Shares filled of ordered", _share(fill_ratio(total))),
        ("Round trips won", _share(hit_rate(total))),
        ("Time there of time asked for", f"{_hours(result.loaded)} of {_hours(result.requested)}"),
    ]
    text = "".join(f"<div><dt>{safe(label)}</dt><dd>{safe(value)}</dd></div>" for label, value in facts)
    caveat = "Too few or too equal returns for a Sharpe ratio."
    if ratio is not None:
        caveat = (
            f"Sharpe ratio over a year {ratio.ratio:.2f} ± {ratio.error:.2f} (one standard error), from "
            f"{ratio.samples} returns over {ratio.interval / 1e9:,.0f} s, taken as independent, which they are not."
        )
    sums = "Profit = realised + unrealised − fees + rebates = change in equity."
    return f"<dl>{text}</dl><p>{sums} {safe(caveat, 400)}</p>{_settlement(result)}{_bracket(result)}"


def _bracket(result: RunResult) -> str:
    """Return what the run earned by each queue model, "" where nobody asked for it."""
    if not result.bracket:
        return ""
    rows = "".join(
        f'<tr><td class="l">{safe(each.queue_model)}{" (this run)" if each.own else ""}</td>{signed(each.profit)}'
        f"<td>{dollars(each.fees)}</td><td>{dollars(each.drawdown)}</td><td>{dollars(each.turnover)}</td>"
        f"<td>{each.orders:,}</td><td>{each.fills:,}</td></tr>"
        for each in result.bracket
    )
    head = "".join(f"<th>{name}</th>" for name in ("Profit", "Fees", "Drawdown", "Turnover", "Orders", "Fills"))
    return (
        "<h2>By queue model</h2><p>Resting orders fill as late as can be, by the default, and as early as can be: what "
        "really fills lies between the first and the last, what it earns need not."
        f"</p>{table(f'<th class=l>Queue model</th>{head}', rows)}"
    )


def _settlement(result: RunResult) -> str:
    """Return a sentence on the fills that can fail after they were matched, "" where there were none."""
    found = result.settlement
    if found is None:
        return ""
    what = (
        f"{found.failed:,} fills worth {dollars(found.failed_notional)} failed after they were matched, "
        f"{found.open:,} worth {dollars(found.open_notional)} are not settled yet, {found.final:,} are final."
    )
    if found.worst is not None and found.worst_all is not None:
        what += (
            f" Had as many more failed, those that hurt most: profit {dollars(found.worst)}; "
            f"every one that gained: {dollars(found.worst_all)} (a bound from below)."
        )
    return f"<p>{safe(what, 600)}</p>"


def _equity(report: RunReport) -> str:
    curve = report.result.curve
    if len(curve.times) < 2:
        return "<h2>Equity</h2><p>Too short to draw.</p>"
    peak, below = int(report.result.equity_start), []
    for low, high in zip(curve.low, curve.high, strict=True):
        peak = max(peak, high)
        below.append((low - peak) / MICROS)
    shaded = _pauses(curve)
    equity = Line([each / MICROS for each in curve.equity], "equity")
    charts = (
        Chart(times=curve.times, lines=[equity], title="Equity at the best bid", shaded=shaded, height=220),
        Chart(times=curve.times, lines=[Line(below, "down")], title="Drawdown", shaded=shaded, height=120, filled=True),
    )
    return f"<h2>Equity at the best bid, and drawdown below</h2>{''.join(map(svg, charts))}"


def _exposure(report: RunReport) -> str:
    curve = report.result.curve
    if len(curve.times) < 2:
        return ""
    line = Line([each / MICROS for each in curve.exposure], "exposure")
    chart = Chart(times=curve.times, lines=[line], title="Exposure", height=140, filled=True, shaded=_pauses(curve))
    rows = "".join(
        f'<tr><td class="l q">{safe(each.title or each.event_id)}</td><td>{each.positions}</td>'
        + "".join(f"<td>{dollars(value)}</td>" for value in (each.cost, each.worst, each.best, each.void))
        + f"{signed(each.worst_profit)}</tr>"
        for each in sorted(report.result.groups, key=lambda group: group.worst_profit)
    )
    head = "".join(
        f"<th>{name}</th>" for name in ("Positions", "Cost", "Pays at worst", "at best", "if void", "Worst profit")
    )
    held = table(f'<th class="l">Event</th>{head}', rows) if rows else "<p>Nothing is held at the end.</p>"
    return f"<h2>Exposure: cost of positions and of buys that rest</h2>{svg(chart)}{held}"


def _prices(report: RunReport) -> str:
    curve, result = report.result.curve, report.result
    fills: dict[InstrumentKey, list[Fill]] = {}
    for fill in report.fills:
        fills.setdefault(fill.key, []).append(fill)
    traded = sorted((path for path in curve.paths if path.key in fills), key=lambda path: -len(fills[path.key]))
    names = {(each.market.venue, each.market.market_id): each for each in result.markets}
    charts = [_price_chart(curve, path, fills[path.key], names) for path in traded[:PRICE_CHARTS_MAX]]
    if not charts:
        return "<h2>Fills on price</h2><p>Nothing was filled in an instrument whose price was sampled.</p>"
    left = f"<p>{len(traded) - len(charts)} more are not drawn.</p>" if len(traded) > len(charts) else ""
    return (
        "<h2>Fills on price</h2><p>The line is the mid; dots are fills, green bought and red sold; grey is time in "
        f'which the book was not known.</p><div class="charts">{"".join(charts)}</div>{left}'
    )


def _price_chart(
    curve: EquityCurve, path: PricePath, fills: Sequence[Fill], names: Mapping[tuple[VenueName, MarketId], MarketResult]
) -> str:
    traded = names.get((path.key.venue, path.key.market_id))
    market = None if traded is None else traded.market
    outcome = "" if market is None else dict(market.outcomes).get(str(path.key.instrument_id), "")
    title = f"{path.key.market_id if market is None else market.question} · {outcome}"
    mids: list[float | None] = [None] * path.start
    mids += [None if each is None else each / 10_000 for each in path.mids]
    dots = [Dot(each.ts_recv, each.price / 10_000, each.side, _fill_words(each)) for each in fills[-FILLS_MAX:]]
    chart = Chart(
        times=curve.times,
        lines=[Line(mids, "equity")],
        dots=dots,
        shaded=list(_unknown(curve, path)),
        title=sanitise(title, TITLE_CHARS_MAX),
        height=150,
        unit="",
        places=1,
    )
    return f"<div><h3>{safe(title)} (¢)</h3>{svg(chart)}</div>"


def _fill_words(fill: Fill) -> str:
    what = "bought" if fill.side == "buy" else "sold"
    return f"{what} {format_micros(fill.size)} at {format_micros(fill.price)}, fee {format_micros(fill.fee)}"


def _unknown(curve: EquityCurve, path: PricePath) -> Iterable[tuple[int, int]]:
    """Yield the spans in which the book of an instrument was not known, from when it was followed until it settled."""
    begun: int | None = None
    until = curve.times[-1] if path.end is None else path.end
    for ts, value in zip(curve.times[path.start :], path.mids, strict=True):
        if value is None and begun is None and ts < until:
            begun = ts
        elif value is not None and begun is not None:
            yield begun, ts
            begun = None
    if begun is not None and begun < until:
        yield begun, until


def _pauses(curve: EquityCurve) -> list[tuple[int, int]]:
    """Return the spans without samples: nothing was received."""
    pairs = zip(curve.times, curve.times[1:], strict=False)
    return [(before, after) for before, after in pairs if after - before > 2 * curve.interval]


def _strategies(report: RunReport) -> str:
    rows = "".join(
        f'<tr><td class="l">{safe(each.strategy)}</td>{_figures(each.tally)}</tr>' for each in report.result.strategies
    )
    return f"<h2>Strategies</h2>{table(f'<th class=l>Strategy</th>{_HEAD}', rows)}" if rows else ""


def _markets(report: RunReport) -> str:
    markets = sorted(report.result.markets, key=lambda each: -abs(each.tally.profit))
    rows = "".join(
        f'<tr><td class="l q">{_link(each.market.question, each.market.url)}</td>{_figures(each.tally)}</tr>'
        for each in markets[:MARKETS_MAX]
    )
    if not rows:
        return "<h2>Markets</h2><p>Nothing was ordered.</p>"
    left = f"<p>{len(markets) - MARKETS_MAX} more, which earned or lost less.</p>" if len(markets) > MARKETS_MAX else ""
    return f"<h2>Markets</h2>{table(f'<th class=l>Market</th>{_HEAD}', rows)}{left}"


def _made_with(report: RunReport) -> str:
    info = report.info
    rows = [(name, text) for name, text in info.versions.items()]
    rows += [("seed", str(info.seed))] if info.seed is not None else []
    rows += [("data", f"{info.data.digest} ({info.data.files} files)")] if info.data is not None else []
    rows += [
        (name, str(value)) for name, value in info.config.items() if name.startswith(("trading.", "risk.", "mock."))
    ]
    lines = "".join(
        f'<tr><td class="l">{safe(name)}</td><td class="l q">{safe(text, 400)}</td></tr>' for name, text in rows
    )
    return f"<h2>Made with</h2>{table('<th class=l>What</th><th class=l>Value</th>', lines)}"


_COLUMNS: Final = ("Profit", "Realised", "Unrealised", "Fees", "Turnover", "Orders", "Fills", "Filled", "Won")
_HEAD: Final = "".join(f"<th>{name}</th>" for name in _COLUMNS)


def _figures(tally: Tally) -> str:
    plain = (dollars(tally.fees), dollars(tally.turnover), f"{tally.orders:,}", f"{tally.fills:,}")
    amounts = "".join(map(signed, (tally.profit, tally.realised, tally.at_bid - tally.opening)))
    shares = (_share(fill_ratio(tally)), _share(hit_rate(tally)))
    return amounts + "".join(f"<td>{each}</td>" for each in (*plain, *shares))


def _link(text: str, url: str | None) -> str:
    """Return a link to the venue's page, or the text alone: only https addresses are linked."""
    if url is None or urlsplit(url).scheme != "https":
        return safe(text)
    return f'<a href="{escape(sanitise(url, 500))}" rel="noopener noreferrer">{safe(text)}</a>'


def _share(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.1%}"


def _hours(duration: int | None) -> str:
    if duration is None:
        return "no end"
    hours, seconds = divmod(duration // 1_000_000_000, 3_600)
    if hours:
        return f"{hours} h {seconds // 60:02} min"
    return f"{seconds // 60} min {seconds % 60:02} s" if seconds >= 60 else f"{seconds} s"


_PARTS: Final[tuple[Callable[[RunReport], str], ...]] = (
    _head,
    _facts,
    lambda report: "" if report.twin is None else beside_twin(report.result, report.twin),
    _equity,
    _prices,
    _exposure,
    _strategies,
    _markets,
    _made_with,
)
