"""The report page: hostile titles stay text, charts show gaps as gaps, nothing is loaded from anywhere."""

import re

import pytest

from predsurv.mine import scores
from predsurv.mine.report import PATH_HEIGHT, UNKNOWN, ReportRow, StatsReport, line_chart, page, score_bar

HOSTILE = '</small><script>alert(1)</script> \x1b]52;c;aGk=\x07 \u202ereversed\u202c & "quoted" \' \n [/oops]'
KEYS = ("observed_s", "gap_s", "evidence", "updates_per_s", "mid_usd", "spread_usd", "spread_ticks", "score")
MORE = ("volatility_usd_per_sqrt_hour", "stale_share", "bid_depth_5c_shares", "ask_depth_5c_shares", "cost_1000_usd")
TRADED = ("trades", "notional_usd", "effective_spread_usd")
STATS = {f"score_{name}": 0.5 for name in scores.COMPONENTS} | dict.fromkeys((*KEYS, *MORE, *TRADED), 0.5)
WEIGHTS = scores.weights({})


def html(question: str = "Who wins?", stats: dict[str, float | None] | None = None) -> str:
    entry = ReportRow({**STATS, **(stats or {})}, question, question, question, (0.1, None, 0.3))
    return page(StatsReport("mock", "2026-11-20", [("Instruments", "1")], [entry], WEIGHTS, "5 s"))


def test_a_hostile_title_stays_text() -> None:
    text = html(HOSTILE)
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)


def test_the_page_refers_to_nothing_outside() -> None:
    assert "default-src 'none'" in html()
    assert not re.search(r"https?://|src=|href=|url\(", html())


def test_what_is_not_known_is_a_dash() -> None:
    assert html(stats={"spread_usd": None}).count(f"<td>{UNKNOWN}</td>") == 1


def test_the_line_breaks_where_nothing_is_known() -> None:
    chart = line_chart([0.1, 0.2, None, 0.3, 0.4, None, 0.5])
    assert chart.count("<polyline") == 2
    assert chart.count("<circle") == 1
    assert line_chart([None, None]) == UNKNOWN


def test_a_flat_line_stays_inside_the_picture() -> None:
    heights = [float(y) for y in re.findall(r",([0-9.]+)", line_chart([0.5, 0.5, 0.5]))]
    assert all(0 <= y <= PATH_HEIGHT for y in heights)


def test_the_score_bar_is_as_long_as_the_score() -> None:
    widths = [float(width) for width in re.findall(r'<rect x="[0-9.]+" width="([0-9.]+)"', score_bar(STATS, WEIGHTS))]
    assert sum(widths) == pytest.approx(50, abs=0.1)
