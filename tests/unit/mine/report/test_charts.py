"""Charts: lines break where nothing is known, unobserved time is grey, everything stays inside the picture."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.mine import scores
from predsurv.mine.report.charts import PATH_HEIGHT, PATH_WIDTH, clock, mid_chart, score_bar, sparkline
from predsurv.mine.report.contents import MidPath

HOUR = 3_600_000_000_000
MIDS = st.lists(st.none() | st.floats(0, 1), max_size=40)


def test_the_line_breaks_where_nothing_is_known() -> None:
    chart = sparkline(MidPath([0.1, 0.2, None, 0.3, 0.4, None, 0.5]))
    assert chart.count("<polyline") == 2
    assert chart.count("<circle") == 1
    assert "no mid was known" in sparkline(MidPath([None, None]))


def test_what_was_not_observed_is_grey_at_its_time() -> None:
    for chart, left, width in (
        (sparkline(MidPath([0.5] * 4, ((0.25, 0.5),))), 0, PATH_WIDTH - 34),
        (mid_chart(MidPath([0.5] * 4, ((0.25, 0.5),)), 0, HOUR), 60, 832),
    ):
        ((x, drawn),) = re.findall(r'<rect class="gap" x="([0-9.]+)" y="[0-9.]+" width="([0-9.]+)"', chart)
        assert float(x) == pytest.approx(left + width / 4, abs=0.1)
        assert float(drawn) == pytest.approx(width / 4, abs=0.1)


def test_a_short_gap_can_still_be_seen() -> None:
    assert 'width="0.8"' in sparkline(MidPath([0.5] * 4, ((0.5, 0.500001),)))


def test_the_scale_is_in_cents() -> None:
    chart = sparkline(MidPath([0.123, 0.456]))
    assert "45.6 ¢" in chart
    assert "12.3 ¢" in chart
    assert sparkline(MidPath([0.5, 0.5])).count("50.0 ¢</text>") == 1


@given(MIDS)
def test_every_point_is_inside_the_picture(values: list[float | None]) -> None:
    for chart, height, width in (
        (sparkline(MidPath(values)), PATH_HEIGHT, PATH_WIDTH),
        (mid_chart(MidPath(values), 0, HOUR), 238, 900),
    ):
        points = [each.split(",") for run in re.findall(r'points="([^"]+)"', chart) for each in run.split()]
        assert all(0 <= float(x) <= width and 0 <= float(y) <= height for x, y in points)


def test_times_have_a_date_where_they_need_one() -> None:
    assert clock(HOUR, HOUR) == "01:00"
    assert clock(HOUR + 12_000_000_000, HOUR // 60) == "01:00:12"
    assert clock(25 * HOUR, 48 * HOUR) == "01-02 01:00"


def test_the_score_bar_is_as_long_as_the_score() -> None:
    stats = {f"score_{name}": 0.5 for name in scores.COMPONENTS}
    bar = score_bar(stats, scores.weights({}))
    widths = [float(width) for width in re.findall(r'<rect x="[0-9.]+" width="([0-9.]+)"', bar)]
    assert sum(widths) == pytest.approx(50, abs=0.1)
