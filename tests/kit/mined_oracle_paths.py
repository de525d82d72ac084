"""The second half of the oracle: paths, what foretells them, trades and imagined quotes, by looking at every moment."""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from math import log, sqrt

from tests.kit.mined_moments import HeldRow, QuoteRun, mid, ratio_error, stretches
from tests.kit.mined_tapes import HOUR, BookRow, MinedTape, S, TradeRow

_SAME = 1e-9
_MINUTE = 60 * S
_AHEAD = 10 * S

Figures = dict[str, float | None]


def paths(held: Sequence[HeldRow], runs: Sequence[QuoteRun]) -> Figures:
    """Return open to close, volatility, jumps and how fast queues go."""
    found: Figures = {}
    for name, of in (("mid", mid), ("microprice", _micro)):
        known = [value for each in held if mid(each.row) is not None and (value := of(each.row)) is not None]
        values = (known[0], max(known), min(known), known[-1]) if known else (None,) * 4
        found |= {
            f"{name}_{when}_usd": each for when, each in zip(("open", "high", "low", "close"), values, strict=True)
        }
    moved, paired = sum(map(_moved, runs)), sum(max(0, run.end - run.start - _MINUTE) for run in runs) / S
    found["volatility_usd_per_sqrt_hour"] = volatility = sqrt(moved / paired * 60) if paired else None
    moves = [(run.visit, _moved(run), max(0, run.end - run.start - _MINUTE) / S) for run in runs]
    error = ratio_error(_visited(moves))
    found["volatility_usd_per_sqrt_hour_se"] = None if error is None or not volatility else 30 * error / volatility
    steps = [(_mid(after.row) - _mid(before.row)) for run in runs for before, after in pairwise(run.pieces)]
    found["jumps"] = sum(abs(step) >= 0.05 - _SAME for step in steps)
    queued = sum(
        (each.row.bids[0][1] + each.row.asks[0][1]) * (each.end - each.start) / S for run in runs for each in run.pieces
    )
    gone = sum(_gone(before.row, after.row) for run in runs for before, after in pairwise(run.pieces))
    found["queue_half_life_s"] = log(2) * queued / gone if gone else None
    return found


def _visited(parts: Iterable[tuple[int, float, float]]) -> list[tuple[float, float]]:
    """Return the sums of each visit of (visit, x, s)."""
    sums: dict[int, tuple[float, float]] = {}
    for visit, x, s in parts:
        before = sums.get(visit, (0.0, 0.0))
        sums[visit] = before[0] + x, before[1] + s
    return list(sums.values())


def _mid(row: BookRow) -> float:
    value = mid(row)
    assert value is not None
    return value


def _micro(row: BookRow) -> float | None:
    (bid, bid_size), (ask, ask_size) = row.bids[0], row.asks[0]
    return (bid * ask_size + ask * bid_size) / (bid_size + ask_size)


def _moved(run: QuoteRun) -> float:
    """Return the integral of the squared move over a minute, from each moment of the run."""
    last = run.end - _MINUTE
    edges = {each.start for each in run.pieces} | {each.start - _MINUTE for each in run.pieces} | {run.start, last}
    inside = sorted(edge for edge in edges if run.start <= edge <= last)
    return sum(
        (_mid(run.at(low + _MINUTE)) - _mid(run.at(low))) ** 2 * (high - low) / S for low, high in pairwise(inside)
    )


def _gone(before: BookRow, after: BookRow) -> float:
    total = 0.0
    for old, new, sign in ((before.bids[0], after.bids[0], 1), (before.asks[0], after.asks[0], -1)):
        if sign * (new[0] - old[0]) < 0:
            total += old[1]
        elif new[0] == old[0]:
            total += max(0.0, old[1] - new[1])
    return total


def _flow(before: BookRow, after: BookRow) -> float:
    (old_bid, old_bid_size), (bid, bid_size) = before.bids[0], after.bids[0]
    (old_ask, old_ask_size), (ask, ask_size) = before.asks[0], after.asks[0]
    return (
        (bid_size if bid >= old_bid else 0)
        - (old_bid_size if bid <= old_bid else 0)
        - (ask_size if ask <= old_ask else 0)
        + (old_ask_size if ask >= old_ask else 0)
    )


def foresight(runs: Sequence[QuoteRun]) -> Figures:
    """Return the correlations of queue imbalance and order flow with the next ten seconds of the mid."""
    queues, flows, moves = [], [], []
    for run in runs:
        for each in run.pieces:
            if run.start <= each.start - _AHEAD and each.start + _AHEAD < run.end:
                bid, ask = each.row.bids[0][1], each.row.asks[0][1]
                queues.append((bid - ask) / (bid + ask))
                steps = [(after.start, _flow(before.row, after.row)) for before, after in pairwise(run.pieces)]
                flows.append(sum(flow for ts, flow in steps if each.start - _AHEAD < ts <= each.start))
                moves.append(_mid(run.at(each.start + _AHEAD)) - _mid(each.row))
    return {
        "correlation_samples": len(moves),
        "queue_imbalance_correlation_10s": _correlation(queues, moves),
        "order_flow_correlation_10s": _correlation(flows, moves),
    }


def _correlation(xs: Sequence[float], ys: Sequence[float]) -> float | None:
    if len(xs) < 2:
        return None
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread_x, spread_y = (sum((value - middle) ** 2 for value in each) for each, middle in ((xs, x), (ys, y)))
    if spread_x <= 1e-9 * sum(value**2 for value in xs) or spread_y <= 1e-9 * sum(value**2 for value in ys):
        return None
    return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sqrt(spread_x * spread_y)


def trading(tape: MinedTape, runs: Sequence[QuoteRun]) -> Figures:
    """Return what trades were, cost and foretold, and how many imagined quotes they filled."""
    trades = [each for each in tape.trades if any(start <= each.ts < end for start, end in tape.visits)]
    shares = sum(each.size for each in trades)
    sided = sum(each.size for each in trades if each.sign is not None)
    found: Figures = {
        "trades": len(trades),
        "volume_shares": shares,
        "notional_usd": sum(each.price * each.size for each in trades),
        "taker_buy_share": sum(each.size for each in trades if each.sign == 1) / sided if sided else None,
        "trade_mean_shares": shares / len(trades) if trades else None,
        "trade_p50_shares": _quantile([each.size for each in trades], 0.5),
        "trade_p90_shares": _quantile([each.size for each in trades], 0.9),
    }
    found |= _rates(tape, trades)
    gains: dict[str, list[tuple[int, float, float]]] = {name: [] for name in ("effective", "1", "10", "60")}
    before, after = 0.0, 0.0
    for trade in trades:
        run = next(
            (run for run in runs if run.start < trade.ts < run.end and run.start // HOUR == trade.ts // HOUR), None
        )
        if run is None or trade.sign is None:
            continue
        book = run.at(trade.ts - 1)
        gains["effective"].append((run.visit, 2 * trade.sign * (trade.price - _mid(book)), trade.size))
        for seconds in (1, 10, 60):
            if trade.ts + seconds * S < run.end:
                later = run.at(trade.ts + seconds * S)
                gains[str(seconds)].append((run.visit, trade.sign * (_mid(later) - trade.price), trade.size))
                if seconds == 10:
                    before, after = before + _hit(trade, book), after + _hit(trade, later)
    for name, of in (("effective_spread", "effective"), *((f"markout_{each}s", each) for each in ("1", "10", "60"))):
        sums = _visited((visit, value * size, size) for visit, value, size in gains[of])
        found[f"{name}_usd"] = sum(x for x, _ in sums) / sum(s for _, s in sums) if sums else None
        found[f"{name}_usd_se"] = ratio_error(sums)
    found["resilience_10s_share"] = after / before if before else None
    return found | _quotes(trades, runs)


def _rates(tape: MinedTape, trades: Sequence[TradeRow]) -> Figures:
    found: Figures = {}
    sizes: dict[str, Callable[[TradeRow], float]] = {
        "trades": lambda each: 1,
        "volume_shares": lambda each: each.size,
        "notional_usd": lambda each: each.price * each.size,
    }
    for name, size in sizes.items():
        sums = [
            (sum(size(each) for each in trades if start <= each.ts < end), (end - start) / S)
            for start, end in stretches(tape)
        ]
        error = ratio_error(sums)
        found[f"{name}_per_hour"] = 3_600 * sum(x for x, _ in sums) / sum(s for _, s in sums)
        found[f"{name}_per_hour_se"] = None if error is None else 3_600 * error
    return found


def _quantile(values: Sequence[float], share: float) -> float | None:
    return next((each for rank, each in enumerate(sorted(values), 1) if rank >= share * len(values) - _SAME), None)


def _hit(trade: TradeRow, row: BookRow) -> float:
    levels = row.asks if trade.sign == 1 else row.bids
    return sum(size for price, size in levels if abs(price - levels[0][0]) <= 0.05 + _SAME)


def _quotes(trades: Sequence[TradeRow], runs: Sequence[QuoteRun]) -> Figures:
    imagined = filled = 0
    for run in runs:
        begin = run.start // HOUR * HOUR
        for posted in range(begin, begin + HOUR, _MINUTE):
            if not (run.start <= posted and posted + _MINUTE <= run.end):
                continue
            row = run.at(posted)
            for sign, (price, ahead) in ((-1, row.bids[0]), (1, row.asks[0])):
                imagined += 1
                hits = [each for each in trades if each.sign == sign and posted < each.ts <= posted + _MINUTE]
                hits = [each for each in hits if each.ts < begin + HOUR]
                beyond = any(sign * (each.price - price) > _SAME for each in hits)
                there = sum(each.size for each in hits if abs(each.price - price) <= _SAME)
                filled += beyond or there > ahead
    return {"quote_fill_share": filled / imagined if imagined else None}
