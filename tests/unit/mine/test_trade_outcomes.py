"""What takers and makers earned by price, beside plain arithmetic."""

import math
from collections import defaultdict

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.mine.price_ranges import ALL, EDGES
from predsurv.mine.trade_outcomes import claims_taken, outcomes_by_price

Row = tuple[str, int, int, str | None]  # (instrument "a" to "d", cents, shares, taker side)
PAYS = {"a": 1.0, "b": 0.0, "c": 0.5}


def table(rows: list[Row]) -> dict[str, dict[str, float]]:
    trades = pl.LazyFrame(
        [(f"m-{name}", name, cents / 100, float(size), side) for name, cents, size, side in rows],
        schema={
            "market_id": pl.String,
            "instrument_id": pl.String,
            "price": pl.Float64,
            "size": pl.Float64,
            "taker_side": pl.String,
        },
        orient="row",
    )
    payouts = pl.LazyFrame({"instrument_id": list(PAYS), "payout": list(PAYS.values())})
    found = outcomes_by_price(claims_taken(trades, payouts)).collect()
    return {row.pop("price_cents"): row for row in found.to_dicts()}


def test_a_worked_example() -> None:
    """100 shares at 4 cents of what lost, and 100 sold at 97, which is the opposite at 3, of what was void."""
    found = table([("b", 4, 100, "buy"), ("c", 97, 100, "sell"), ("a", 50, 1, None), ("d", 50, 1, "buy")])
    assert list(found) == ["0–5", ALL]
    low = found["0–5"]
    assert (low["trades"], low["markets"], low["shares"]) == (2, 2, 200)
    assert low["mean_price_usd"] == pytest.approx(0.035)
    assert low["win_rate"] == pytest.approx(0.25)
    assert low["taker_return"] == pytest.approx((50 - 7) / 7)
    assert low["maker_return"] == pytest.approx((7 - 50) / (200 - 7))
    assert low["win_rate_error"] == pytest.approx(math.sqrt((25**2 + 25**2) * 2) / 200)


def test_a_price_on_a_bound_belongs_to_the_range_above_it() -> None:
    assert list(table([("a", 5, 1, "buy"), ("a", 95, 1, "buy")])) == ["5–10", "95–100", ALL]


def test_the_error_of_one_market_is_not_known() -> None:
    assert table([("a", 50, 3, "buy"), ("a", 51, 3, "buy")])["50–60"]["win_rate_error"] is None


_TRADES = st.lists(
    st.tuples(st.sampled_from("abcd"), st.integers(1, 99), st.integers(1, 500), st.sampled_from(["buy", "sell", None])),
    max_size=30,
)


@given(_TRADES)
def test_it_agrees_with_a_loop_and_what_one_side_wins_the_other_loses(rows: list[Row]) -> None:
    cost, paid, shares = defaultdict[str, float](float), defaultdict[str, float](float), defaultdict[str, int](int)
    for name, cents, size, side in rows:
        if side is None or name not in PAYS:
            continue
        price, pays = (cents, PAYS[name]) if side == "buy" else (100 - cents, 1 - PAYS[name])
        bounds = [0, *(round(edge * 100) for edge in EDGES), 100]
        low = max(bound for bound in bounds if bound <= price)
        for where in (f"{low}–{bounds[bounds.index(low) + 1]}", ALL):
            cost[where] += price / 100 * size
            paid[where] += pays * size
            shares[where] += size
    found = table(rows)
    assert found.keys() == shares.keys()
    for where, row in found.items():
        assert row["shares"] == shares[where]
        assert row["taker_return"] == pytest.approx((paid[where] - cost[where]) / cost[where], abs=1e-9)
        taker, maker = row["taker_return"] * cost[where], row["maker_return"] * (shares[where] - cost[where])
        assert taker + maker == pytest.approx(0, abs=1e-6)
