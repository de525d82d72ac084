"""Read an exported ``.npz`` with hftbacktest itself, and print the best prices after each event as JSON.

``FOLDER/bin/python hftbacktest_reader.py FILE`` in an environment of its own: the library is no dependency of the
suite.
Nothing else of the repository is imported. Each element: local time (ns UTC), best bid and ask in micros, null where
that side is empty.
"""

import json
import sys

import numpy as np
from hftbacktest import BacktestAsset, ROIVectorMarketDepthBacktest
from numba import njit

_TICK = 0.0001


@njit
def _followed(hbt, times, bids, asks):  # type: ignore[no-untyped-def]  # numba
    count = 0
    while hbt.wait_next_feed(False, 10**15) == 2:
        depth = hbt.depth(0)
        times[count], bids[count], asks[count] = hbt.current_timestamp, depth.best_bid_tick, depth.best_ask_tick
        count += 1
    return count


def main() -> None:
    """Print what the array in the first argument makes of the book."""
    data = np.load(sys.argv[1])["data"]
    asset = (
        BacktestAsset()
        .data(data)
        .linear_asset(1.0)
        .constant_order_latency(1, 1)
        .power_prob_queue_model(1.0)
        .partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(_TICK)
        .lot_size(0.000001)
        .roi_lb(0.0)
        .roi_ub(1.001)
    )
    hbt = ROIVectorMarketDepthBacktest([asset])
    times, bids, asks = (np.zeros(len(data) + 1, np.int64) for _ in range(3))
    count = _followed(hbt, times, bids, asks)
    hbt.close()
    found = zip(times[:count], bids[:count], asks[:count], strict=True)
    sys.stdout.write(json.dumps([[int(at), *(_price(each) for each in pair)] for at, *pair in found]))


def _price(ticks: int) -> int | None:
    return int(ticks) * 100 if 0 < ticks < 10_000 else None


if __name__ == "__main__":
    main()
