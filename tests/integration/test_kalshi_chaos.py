"""A short share of ``tests/proofs/chaos_kalshi.py``: everything goes wrong, and nothing is wrong in the end."""

import pytest

from tests.kit.kalshi_chaos import ChaosSettings, chaos


@pytest.mark.slow
async def test_chaos() -> None:
    faults = (
        "drop@3s freeze@4s:30s gap~1s duplicate~3s reorder~3s negative~4s malformed~5s unknown~2s error10@6s error25@9s"
    )
    report = await chaos(ChaosSettings(seconds=15, rate=1_500, markets=200, tickers=200, faults=faults, seed=5))
    assert report.good, report.lines
