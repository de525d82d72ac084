"""hftbacktest over the columns of ``benchmarks.peer_data``: a bid at the best bid of some instruments.

``python hftbacktest_engine.py FOLDER NUMBER…``, in an environment with ``hftbacktest`` 2.4.4; NUMBER: the instruments
to quote in. Order latency and a queue model are on. Orders are filled whole (``no_partial_fill_exchange``): with
partial fills it ends in the middle of the data, after a fill that comes out exactly. Writes ``answer.json`` there: CPU
seconds of the second run, when everything is compiled and the events are in memory, which favours it; orders sent, and
the last best prices of each instrument in micros.
"""

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from hftbacktest import (
    BUY_EVENT,
    DEPTH_CLEAR_EVENT,
    DEPTH_EVENT,
    EXCH_EVENT,
    GTX,
    LIMIT,
    LOCAL_EVENT,
    SELL_EVENT,
    TRADE_EVENT,
    BacktestAsset,
    ROIVectorMarketDepthBacktest,
    event_dtype,
)
from numba import njit

CLEAR, LEVEL, TRADE = range(3)
TICK = 0.001
SEND_NS, ANSWER_NS = 150_000_000, 22_000_000
CLIP = 10.0
END_OF_DATA, FED = 1, 2  # what waiting for the next event may end with
KINDS = {"ts": "i8", "instrument": "i4", "kind": "i1", "is_ask": "i1", "last": "i1", "price": "i8", "size": "i8"}


def events(folder: Path, count: int) -> list[np.ndarray]:
    """Return the events of each instrument in the library's format."""
    found = {name: np.fromfile(folder / name, dtype=kind) for name, kind in KINDS.items()}
    is_ask, is_clear = found["is_ask"] == 1, found["kind"] == CLEAR
    is_buy = np.where(found["kind"] == TRADE, is_ask, ~is_ask)  # a trade has its taker's side
    side = np.where(is_clear, 0, np.where(is_buy, BUY_EVENT, SELL_EVENT))  # cleared are both
    what = np.choose(found["kind"], [DEPTH_CLEAR_EVENT, DEPTH_EVENT, TRADE_EVENT])
    made = np.zeros(len(side), dtype=event_dtype)
    made["ev"] = np.uint64(EXCH_EVENT | LOCAL_EVENT) | side.astype(np.uint64) | what.astype(np.uint64)
    made["exch_ts"] = made["local_ts"] = found["ts"]
    made["px"], made["qty"] = found["price"] / 1e6, found["size"] / 1e6
    return [made[found["instrument"] == number] for number in range(count)]


@njit
def follow(hbt, wanted, quoted, tops):  # type: ignore[no-untyped-def]  # numba
    """Keep a bid at the best bid of ``wanted``; return the orders sent, and how it ended."""
    orders = 0
    ids = np.zeros(len(wanted), np.int64)
    while True:
        code = hbt.wait_next_feed(False, 10**15)
        if code != FED:
            break
        for place in range(len(wanted)):
            asset = wanted[place]
            best = hbt.depth(asset).best_bid_tick
            if best == quoted[place] or best < 0 or best > 1_000:
                continue
            if ids[place]:
                known = hbt.orders(asset).get(ids[place])
                if known is not None and known.cancellable:
                    hbt.cancel(asset, ids[place], False)
                hbt.clear_inactive_orders(asset)
            orders += 1
            ids[place], quoted[place] = orders, best
            hbt.submit_buy_order(asset, orders, best * TICK, CLIP, GTX, LIMIT, False)
    for asset in range(hbt.num_assets):
        depth = hbt.depth(asset)
        tops[asset, 0], tops[asset, 1] = depth.best_bid_tick, depth.best_ask_tick
    return orders, code


def asset_of(rows: np.ndarray) -> BacktestAsset:
    """Return an instrument with its events: no fees, prices from 0 to 1."""
    return (
        BacktestAsset()
        .data(rows)
        .linear_asset(1.0)
        .constant_order_latency(SEND_NS, ANSWER_NS)
        .power_prob_queue_model(1.0)
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(TICK)
        .lot_size(0.000001)
        .roi_lb(0.0)
        .roi_ub(1.001)
    )


def run(data: list[np.ndarray], wanted: np.ndarray) -> tuple[float, int, np.ndarray]:
    """Return the CPU seconds, the orders and the last best prices (ticks)."""
    hbt = ROIVectorMarketDepthBacktest([asset_of(each) for each in data])
    tops = np.zeros((len(data), 2), np.int64)
    began = time.process_time()
    orders, code = follow(hbt, wanted, np.full(len(wanted), -1, np.int64), tops)
    took = time.process_time() - began
    hbt.close()
    if code != END_OF_DATA:
        raise RuntimeError(f"it ended with {code} after {orders} orders, before its data did")
    return took, orders, tops


def main() -> None:
    """Run twice, print what the second run took."""
    folder, wanted = Path(sys.argv[1]), np.array([int(each) for each in sys.argv[2:]], np.int64)
    meta = json.loads((folder / "meta.json").read_bytes())
    data = events(folder, len(meta["instruments"]))
    run([each[:100] for each in data], wanted)
    took, orders, ticks = run(data, wanted)
    tops = [[int(each) * 1_000 if 0 < each <= 1_000 else None for each in pair] for pair in ticks]
    (folder / "answer.json").write_text(
        json.dumps({"version": version("hftbacktest"), "cpu": took, "orders": int(orders), "tops": tops})
    )


if __name__ == "__main__":
    main()
