"""The page of a market: every documented statistic is on it once, with its unit."""

import re
from pathlib import Path

import pytest

from predsurv.mine import scores
from predsurv.mine.report.contents import MidPath, ReportRow, StatsReport
from predsurv.mine.report.market_page import GROUPS, formatted, market_page

DOCUMENT = Path(__file__).parents[4] / "docs" / "data-files.md"
NOT_IN_GROUPS = ("market_id", "instrument_id", "percentile_", "score", "evidence", "unknown_scores", "rank", "previous")


def documented() -> list[str]:
    section = DOCUMENT.read_text().partition("## stats\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([a-z0-9_]+)` \|", section, re.MULTILINE)


def test_every_documented_column_has_a_group() -> None:
    prefixes = tuple(prefix for _, names in GROUPS for prefix in names)
    assert len(documented()) > 100
    assert [name for name in documented() if not name.startswith((*prefixes, *NOT_IN_GROUPS))] == []


def test_a_value_is_there_once_and_what_is_not_known_is_named() -> None:
    row = dict.fromkeys(documented()) | {"instrument_id": "i-1", "score": 0.5, "evidence": 0.9, "trades": 4_321}
    row |= {"gap_s": 3.0, "gap_stall_s": 3.0, "gap_crash_s": 0.0}
    entry = ReportRow(row, "Who wins?", "Yes", "Politics", MidPath())
    text = market_page(StatsReport("mock", "2026-11-20", (), [entry], scores.weights({}), 0, 1), 1)
    assert text.count("4,321") == 1
    assert "gap stall" in text
    assert "gap crash" not in text
    assert re.search("Not known: [^<]*taker buy", text)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("spread_usd", 0.015, "1.50 ¢"),
        ("spread_usd_se", 0.001, "0.10 ¢"),
        ("notional_usd", 1_234.5, "$1,234.50"),
        ("notional_usd_per_hour", 12.3456, "12.35 $/h"),
        ("trades_per_hour", 12.5, "12.50 1/h"),
        ("volume_shares_per_hour_se", 2_100.0, "2,100 shares/h"),
        ("volatility_usd_per_sqrt_hour", 0.04, "4.00 ¢/√h"),
        ("observed_s", 3_600.0, "3,600 s"),
        ("updates_per_s", 0.0123, "0.0123 1/s"),
        ("message_age_ms", 45.678, "45.68 ms"),
        ("coverage_share", 0.9876, "98.8 %"),
        ("bid_depth_5c_shares", 150.25, "150.2 shares"),
        ("depth_slope_shares_per_cent", 5.0, "5.00 shares/¢"),
        ("order_flow_correlation_10s", -0.123, "-0.12"),
        ("trades", 12_345, "12,345"),
        ("trades_missing", "not_offered", "not offered"),
    ],
)
def test_a_value_has_the_unit_of_its_column(name: str, value: float | str, text: str) -> None:
    assert formatted(name, value) == text
