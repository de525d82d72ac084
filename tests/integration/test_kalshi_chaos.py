"""A short share of ``tests/proofs/chaos_kalshi.py``: everything goes wrong, and nothing is wrong in the end."""

import argparse

import pytest

from tests.proofs.chaos_kalshi import chaos


@pytest.mark.slow
async def test_chaos() -> None:
    faults = (
        "drop@3s freeze@4s:30s gap~1s duplicate~3s reorder~3s negative~4s malformed~5s unknown~2s error10@6s error25@9s"
    )
    args = argparse.Namespace(seconds=15, rate=1_500, markets=200, tickers=200, faults=faults, seed=5, keyless=False)
    assert await chaos(args) == 0
