"""The report page: hostile titles stay text, nothing is loaded from anywhere, every market has its page."""

import re
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import pytest

from predsurv.mine import scores
from predsurv.mine.report.contents import UNKNOWN, MidPath, ReportRow, StatsReport
from predsurv.mine.report.page import page

HOSTILE = '</small><script>alert(1)</script> \x1b]52;c;aGk=\x07 \u202ereversed\u202c & "quoted" \' \n [/oops]'
KEYS = ("observed_s", "gap_s", "evidence", "updates_per_s", "mid_usd", "spread_usd", "spread_ticks", "score")
MORE = ("volatility_usd_per_sqrt_hour", "stale_share", "bid_depth_5c_shares", "ask_depth_5c_shares", "cost_1000_usd")
TRADED = ("trades", "notional_usd", "effective_spread_usd")
STATS = {f"score_{name}": 0.5 for name in scores.COMPONENTS} | dict.fromkeys((*KEYS, *MORE, *TRADED), 0.5)
STATS |= {"instrument_id": "i"}  # type: ignore[dict-item]
WEIGHTS = scores.weights({})
MIDNIGHT = 1_796_083_200_000_000_000
BUCKET = {"trades": 4, "markets": 2, "shares": 40.0, "mean_price_usd": 0.07, "taker_return": -0.1}


def html(
    question: str = "Who wins?",
    stats: Mapping[str, float | None] | None = None,
    *,
    url: str | None = None,
    entries: int = 1,
    outcomes: list[dict[str, Any]] | None = None,
) -> str:
    path = MidPath((0.1, None, 0.3), ((0.4, 0.6),))
    entry = ReportRow({**STATS, **(stats or {})}, question, question, question, path, url)
    times = MIDNIGHT, MIDNIGHT + 3_600_000_000_000
    facts = [("Instruments", "1")]
    return page(StatsReport("mock", "2026-11-20", facts, [entry] * entries, WEIGHTS, *times, outcomes or ()))


def test_a_hostile_title_stays_text() -> None:
    text = html(HOSTILE)
    assert text.count("<script") == 1
    assert "&lt;script&gt;" in text
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)


def test_the_page_refers_to_nothing_outside_and_runs_its_own_script_alone() -> None:
    text = html()
    assert "default-src 'none'" in text
    assert not re.search(r"https?://|src=|url\(", text)
    assert all(each.startswith("#") for each in re.findall(r'href="([^"]*)"', text))
    (script,) = re.findall("<script>(.*?)</script>", text, re.DOTALL)
    assert f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" in text


def test_only_https_addresses_of_venues_are_linked() -> None:
    assert 'href="https://kalshi.com/markets/x"' in html(url="https://kalshi.com/markets/x")
    for other in ("javascript:alert(1)", "http://kalshi.com", 'https://x"onclick="y'):
        assert f'href="{other}"' not in html(url=other)


def test_what_is_not_known_is_a_dash_and_sorts_last() -> None:
    assert f'<td class="more">{UNKNOWN}</td>' in html(stats={"spread_usd": None})
    assert f'<td class="more">{UNKNOWN}</td>' not in html()


def test_every_market_has_a_page_that_its_name_opens() -> None:
    text = html(entries=3)
    for number in (1, 2, 3):
        assert f'<a href="#m{number}">Who wins?</a>' in text
        assert f'id="m{number}"' in text
    second = text.partition('id="m2"')[2].partition("</article>")[0]
    assert 'href="#m1"' in second
    assert 'href="#m3"' in second


def test_times_of_the_charts_are_said() -> None:
    assert "Mids are from 00:00 to 01:00 UTC" in html()


def test_calibration_is_shown_where_markets_have_settled() -> None:
    rows: list[dict[str, Any]] = [
        {**BUCKET, "price_cents": "5–10", "win_rate": 0.04, "win_rate_error": 0.02},
        {**BUCKET, "price_cents": "90–95", "win_rate": 0.9, "win_rate_error": None},
        {**BUCKET, "price_cents": "all", "win_rate": 0.5, "win_rate_error": None},
    ]
    text = html(outcomes=rows)
    assert "<td>4.0%</td><td>3.9%</td>" in text
    assert f"<td>90.0%</td><td>{UNKNOWN}</td>" in text
    assert text.count('<circle class="dot"') - html().count('<circle class="dot"') == 2
    assert "No market with trades has settled" in html()


@pytest.mark.parametrize("entries", [1, 100])
def test_a_hundred_markets_fit_in_two_megabytes(entries: int) -> None:
    values = {f"column_{number}_usd": 0.123456789 for number in range(120)}
    assert len(html("Will the title be as long as titles are, about a hundred letters, or even more than that?" * 2,
                    values, entries=entries).encode()) < 2_000_000  # fmt: skip
