"""The report of a run: whole without anything from elsewhere, hostile text escaped, gaps shaded."""

import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

from msgspec.structs import replace

from predsurv.core.ids import StrategyName, VenueName
from predsurv.core.num import Money
from predsurv.trade.bracket import MODELS
from predsurv.trade.report.charts import Chart, Dot, Line, clock, svg
from predsurv.trade.report.page import PRICE_CHARTS_MAX, RunReport, page
from predsurv.trade.results.ledger import Opening, fold
from predsurv.trade.results.result import Books, BracketRun, Course, RunResult, result_of
from predsurv.trade.results.sampling import EquityCurve, PricePath
from predsurv.trade.runs.info import DataFingerprint, RunInfo
from tests.kit.run_entries import CASH, filled, sent, started
from tests.kit.trading_samples import NO, START, YES, S, V, fill, market

HOSTILE = "<script>alert(1)</script>\x1b[31m'\"&\u202e"
INFO = RunInfo(
    run="20270115T080000000Z-paper",
    mode="paper",
    venues=(VenueName(HOSTILE), V),
    strategies=(StrategyName("me"),),
    started=START,
    config={"trading.latency": "150ms", "data_dir": "somewhere"},
    versions={"predsurv": HOSTILE},
    seed=7,
    data=DataFingerprint("abc", 3),
    notes=(HOSTILE,),
)


def curve(samples: int = 40, paths: tuple[PricePath, ...] = ()) -> EquityCurve:
    times = tuple(START + n * S for n in range(samples))
    equity = tuple(Money(CASH + (n % 7) * 100_000) for n in range(samples))
    low = tuple(Money(each - 50_000) for each in equity)
    return EquityCurve(S, times, equity, low, equity, equity, paths, Money(600_000), START + 7 * S)


def result(url: str | None = None, question: str = HOSTILE, drawn: EquityCurve | None = None) -> RunResult:
    hostile = market(question=question, url=url)
    entries: list[Any] = [started(), sent("a", price=40, size=100), filled("a", 100, 40, fee=Money(960_000))]
    ledger = fold(Opening(), entries, lambda _venue, _market_id: None)
    return result_of(ledger, Books({}, {}, ((hostile,),)), Course(curve() if drawn is None else drawn))


class Elements(HTMLParser):
    """Collects elements, their attributes and the text of the page; fails for an element that is never closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def shown(made: RunResult, **changes: Any) -> str:
    report = RunReport(replace(INFO, complete=True), "complete", made, [fill("a", 100, 40), fill("a", 1, 41, key=NO)])
    return page(replace(report, **changes))


def test_hostile_text_is_escaped_and_nothing_is_fetched() -> None:
    text = shown(result('https://example.com/?a="><script>x</script>'))
    elements = Elements(text)
    tags = {tag for tag, _ in elements.found}
    assert tags.isdisjoint({"script", "link", "img", "iframe", "object", "form", "base"})
    for tag, attributes in elements.found:
        assert not [name for name in attributes if name.startswith("on")], tag
        assert attributes.get("src") is None
    assert "<script>" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "default-src 'none'" in text
    assert not re.search(r"url\(|@import", text)


def test_only_https_pages_are_linked() -> None:
    assert 'href="https://example.com/m"' in shown(result("https://example.com/m"))
    for url in ("javascript:alert(1)", "http://example.com", "//example.com", None):
        assert "href" not in shown(result(url))


def test_the_figures_stand_on_the_page() -> None:
    text = shown(replace(result(), requested=90 * S, loaded=30 * S))
    for figure in ("−$0.96", "30 s of 1 min 30 s", "trading.latency", "150ms", "abc (3 files)"):
        assert figure in text
    assert "Sharpe ratio over a year" in text
    assert "data_dir" not in text
    assert "Not complete" not in text
    assert "no end" in shown(result())
    assert "2 h 00 min" in shown(replace(result(), loaded=7_200 * S))


def test_a_run_that_is_not_complete_says_so() -> None:
    assert "Not complete: killed" in shown(result(), info=INFO, state="killed")


def test_fills_are_drawn_on_prices_and_unknown_time_is_shaded() -> None:
    mids = tuple(None if 10 <= n < 20 or n >= 35 else 400_000 + n for n in range(40))
    text = shown(result(drawn=curve(paths=(PricePath(YES, 0, mids), PricePath(NO, 5, mids[5:], START + 35 * S)))))
    elements = Elements(text)
    styles = [attributes.get("class") for _, attributes in elements.found]
    assert styles.count("buy") == 2
    assert styles.count("gap") == 3  # the end of a market that settled is no gap
    assert "bought 100 at 0.4, fee 0" in text


def test_more_prices_than_are_drawn_are_counted() -> None:
    keys = [market(f"m{n}").key(0) for n in range(PRICE_CHARTS_MAX + 2)]
    paths = tuple(PricePath(key, 0, (500_000,) * 40) for key in keys)
    report = replace(result(drawn=curve(paths=paths)))
    text = page(RunReport(INFO, "complete", report, [fill("a", key=key) for key in keys]))
    assert "2 more are not drawn" in text


def test_a_run_without_trades_or_time_has_a_page() -> None:
    ledger = fold(Opening(), [started()], lambda _venue, _market_id: None)
    text = page(RunReport(INFO, "complete", result_of(ledger, Books({}, {}, ()), Course()), []))
    Elements(text)
    for phrase in ("Too short to draw", "Nothing was filled", "Nothing was ordered", "Too few or too equal returns"):
        assert phrase in text


def test_a_pause_without_samples_is_shaded() -> None:
    late = curve()
    times = (*late.times[:20], *(each + 60 * S for each in late.times[20:]))
    elements = Elements(shown(result(drawn=replace(late, times=times))))
    assert [attributes.get("class") for _, attributes in elements.found].count("gap") == 3  # equity, drawdown, exposure


def test_a_chart_keeps_within_its_frame_whatever_its_values() -> None:
    times = [START, START + S, START + 2 * S]
    for values in ([1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [None, None, None], [-5.0, None, 7.0]):
        dots = [Dot(START - S, 0.5, "buy", "<b>")]
        drawn = svg(Chart(times=times, lines=[Line(values, "equity")], title="<t>", dots=dots, filled=True))
        for number in re.findall(r'[xy]\d?="(-?[0-9.]+)"', drawn):
            assert 0 <= float(number) <= 720
        assert "<b>" not in drawn
        assert "&lt;t&gt;" in drawn
    assert "too short" in svg(Chart(times=times[:1], lines=[], title="x"))
    assert clock(START, 86_400 * S).startswith("15 Jan")


def test_the_bracket_of_queue_models_is_there_where_it_was_asked_for() -> None:
    runs = tuple(
        BracketRun(
            queue_model=model,
            profit=Money(profit),
            fees=Money(0),
            drawdown=Money(0),
            turnover=Money(0),
            orders=3,
            fills=2,
            own=model == "proportional",
        )
        for model, profit in zip(MODELS, (-1_250_000, 0, 2_500_000), strict=True)
    )
    plain = result()
    assert "By queue model" not in page(RunReport(INFO, "complete", plain, ()))
    text = page(RunReport(INFO, "complete", replace(plain, bracket=runs), ()))
    assert Elements(text).found
    assert "proportional (this run)" in text
    assert "−$1.25" in text
    assert "$2.50" in text


def test_the_labels_of_a_value_axis_are_as_far_apart_as_they_say() -> None:
    chart = Chart(times=[START, START + S], lines=[Line((10_000.0, 9_995.0), "a")], title="equity")
    labels = [float(each.replace(",", "")) for each in re.findall(r">\$([0-9,.]+)<", svg(chart))]
    steps = [round(after - before, 2) for before, after in pairwise(labels)]
    assert max(steps) - min(steps) <= 0.01
    wide = svg(Chart(times=[START, START + S], lines=[Line((9_000.0, 99_000.0), "a")], title="equity"))
    assert not re.search(r">\$[0-9,]+[.]", wide), "no decimals where they say nothing"
