"""How wide spreads are by price, beside plain arithmetic."""

import polars as pl
import pytest

from predsurv.mine.price_ranges import ALL
from predsurv.mine.spreads_by_price import spreads_by_price


def test_a_worked_example() -> None:
    """A spread of one cent around 4 cents is 1,250 bps of the longshot and 52 of the favourite at 96."""
    stats = pl.LazyFrame({
        "mid_usd": [0.04, 0.02, None, 0.5],
        "spread_usd": [0.01, 0.02, 0.01, None],
        "observed_s": [100.0, 300.0, 50.0, 50.0],
    })  # fmt: skip
    found = {row.pop("price_cents"): row for row in spreads_by_price(stats).collect().to_dicts()}
    assert list(found) == ["0–5", "95–100", ALL]
    assert found["0–5"]["claims"] == 2
    assert found["0–5"]["half_spread_bps"] == pytest.approx((1_250 * 100 + 5_000 * 300) / 400)
    assert found["0–5"]["half_spread_median_bps"] == pytest.approx(3_125)
    assert found["95–100"]["half_spread_bps"] == pytest.approx(
        (0.005 / 0.96 * 1e4 * 100 + 0.01 / 0.98 * 1e4 * 300) / 400
    )
    assert found[ALL]["claims"] == 4
