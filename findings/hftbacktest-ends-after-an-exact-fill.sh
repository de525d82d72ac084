#!/bin/sh
# hftbacktest 2.4.4 with partial_fill_exchange() ends a backtest without an exception once a resting order was filled to
# its last share by a trade that ends exactly there: the order stays in the exchange's book as filled, and the next trade
# that meets it makes wait_next_feed() and elapse() return 14 in the middle of the data. The documented loops,
# `while hbt.elapse(...) == 0`, then end as if the data had, and print statistics of what came before.
#
# What one would expect: the filled order leaves the book, as it does when the trade is a share larger, and the run ends
# with 1 (end of data) at the last row. Sizes in these markets are round, so exact fills are common: a strategy that kept
# a bid at the best of five prediction markets saw 5.6 of 1,098 seconds. no_partial_fill_exchange() is not affected.
#
# Seen, an order for 10 behind 10 others, a sale of 20 (then 21) at its price, a lower sale, then an ask of 0.50:
#   partial    a sale of 20: code 14, position 10.0, last ask 0.60
#   partial    a sale of 21: code 1, position 10.0, last ask 0.50
#   no partial a sale of 20: code 1, position 10.0, last ask 0.50
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "hftbacktest==2.4.4" "numba==0.68.1" "numpy==2.2.6" 2>/dev/null
cat > "$folder/ended.py" <<'PYTHON'
import numpy as np
from hftbacktest import (
    BUY_EVENT, DEPTH_EVENT, EXCH_EVENT, GTX, LIMIT, LOCAL_EVENT, SELL_EVENT, TRADE_EVENT,
    BacktestAsset, ROIVectorMarketDepthBacktest, event_dtype,
)  # fmt: skip
from numba import njit

SECOND = 1_000_000_000


def rows(sold):
    made = np.zeros(5, dtype=event_dtype)
    told = [
        (0, DEPTH_EVENT | BUY_EVENT, 0.40, 10.0), (0, DEPTH_EVENT | SELL_EVENT, 0.60, 10.0),
        (1, TRADE_EVENT | SELL_EVENT, 0.40, sold), (2, TRADE_EVENT | SELL_EVENT, 0.39, 5.0),
        (5, DEPTH_EVENT | SELL_EVENT, 0.50, 5.0),
    ]  # fmt: skip
    for row, (at, kind, price, size) in zip(made, told, strict=True):
        row["ev"], row["px"], row["qty"] = EXCH_EVENT | LOCAL_EVENT | kind, price, size
        row["exch_ts"] = row["local_ts"] = at * SECOND
    return made


def backtest(data, partial):
    asset = BacktestAsset().data(data).linear_asset(1.0).constant_order_latency(1_000_000, 1_000_000)
    asset = asset.risk_adverse_queue_model()
    asset = asset.partial_fill_exchange() if partial else asset.no_partial_fill_exchange()
    asset = asset.trading_value_fee_model(0.0, 0.0).tick_size(0.01).lot_size(0.01).roi_lb(0.0).roi_ub(1.0)
    return ROIVectorMarketDepthBacktest([asset])


@njit
def run(hbt):
    hbt.wait_next_feed(False, 10**12)
    hbt.submit_buy_order(0, 1, 0.40, 10.0, GTX, LIMIT, False)
    while True:
        code = hbt.wait_next_feed(False, 10**12)
        if code != 2:
            return code, hbt.position(0), hbt.depth(0).best_ask


found = {}
for partial, sold in ((True, 20.0), (True, 21.0), (False, 20.0)):
    data = rows(sold)  # kept: the library reads it where it lies
    hbt = backtest(data, partial)
    code, position, ask = run(hbt)
    hbt.close()
    found[partial, sold] = (int(code), position, round(ask, 2))
    print(f"{'partial' if partial else 'no partial':10} a sale of {sold:.0f}: code {code}, position {position}, last ask {ask:.2f}")
assert found == {(True, 20.0): (14, 10, 0.6), (True, 21.0): (1, 10, 0.5), (False, 20.0): (1, 10, 0.5)}, found
PYTHON
"$folder/venv/bin/python" "$folder/ended.py"
