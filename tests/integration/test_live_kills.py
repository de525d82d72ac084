"""Traders that are killed at some steps of an order's life take their account for what the venue does; a short proof.

``python -m tests.proofs.live kills`` does it at every step, many times.
"""

from pathlib import Path

import pytest

from tests.kit.trader_kills import POINTS, killed, made_dir

CHOSEN = {
    "polymarket": ("place, carried out, not answered", "named, stored", "filled, not stored", "failed, stored"),
    "kalshi": ("place, carried out, not answered", "cancel, arrived, not carried out", "partly filled, not stored"),
}


@pytest.mark.parametrize("name", POINTS)
async def test_after_each_kill_both_sides_are_equal(name: str, tmp_path: Path) -> None:
    plan = [point for point in POINTS[name] if point.name in CHOSEN[name]]
    tally = await killed(name, made_dir(tmp_path / name), plan, seed=3)
    assert tally.found == []
    assert tally.compared >= len(plan)
    assert tally.orders >= 1
