"""What a row says of liquidity rewards."""

import json
from typing import Any

import pytest

from predsurv.venues.polymarket.gamma_row import read_row
from predsurv.venues.polymarket.market_parser import parse_market

ROW = {"conditionId": "0x1", "outcomes": ["Yes", "No"], "clobTokenIds": ["11", "12"]}


@pytest.mark.parametrize(
    ("size", "spread", "expected"),
    [
        (50, 4.5, (50_000_000, 45_000)),
        ("20", "3", (20_000_000, 30_000)),
        (0, 4.5, (None, None)),
        (50, 0, (None, None)),
        (50, None, (None, None)),
        (None, 3, (None, None)),
        (50, 100, (None, None)),
        (-1, 3, (None, None)),
    ],
)
def test_rewards_are_stated_with_size_and_distance_or_not_at_all(size: Any, spread: Any, expected: Any) -> None:
    row = {**ROW, "rewardsMinSize": size, "rewardsMaxSpread": spread}
    found = parse_market(read_row(json.dumps(row).encode()), 7).market
    assert found is not None
    assert (found.reward_min_size, found.reward_max_spread) == expected
