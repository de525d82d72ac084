"""The statistics of a tape once more, in plain Python by looking at every moment, to compare the miner with."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from math import floor, log2

from tests.kit.mined_moments import HeldRow, crossed, held_rows, mid, quote_runs, ratio_error, stretches
from tests.kit.mined_oracle_paths import foresight, paths, trading
from tests.kit.mined_tapes import BookRow, MinedTape, S

_SAME = 1e-9


def expected(tape: MinedTape) -> dict[str, float | None]:
    """Return what the miner has to say of the tape."""
    hours = [list(held_rows(tape, hour)) for hour in range(tape.hours)]
    trusted = [each for rows in hours for each in rows if each.row.trusted]
    runs = [run for rows in hours for run in quote_runs(rows)]
    parts = (
        _coverage(tape),
        _updates(tape),
        _books(trusted),
        paths(trusted, runs),
        foresight(runs),
        trading(tape, runs),
    )
    return {name: value for part in parts for name, value in part.items()}


def _coverage(tape: MinedTape) -> dict[str, float | None]:
    seconds = sum(end - start for start, end in stretches(tape)) / S
    return {"observed_s": seconds, "visits": len(stretches(tape))}


def _updates(tape: MinedTape) -> dict[str, float | None]:
    seen_in = stretches(tape)
    seen = [(ts, age) for ts, age in tape.changes if any(start <= ts < end for start, end in seen_in)]
    stale, judged, waits, rates = 0.0, 0.0, list[tuple[float, bool]](), list[tuple[float, float]]()
    for start, end in seen_in:
        own = sorted({ts for ts, _ in seen if start <= ts < end})
        stale += sum(max(0.0, (after - before) / S - 60) for before, after in pairwise([start, *own, end]))
        judged += max(0.0, (end - start) / S - 60)
        waits += [((after - before) / S, True) for before, after in pairwise(own)]
        waits += [((end - own[-1]) / S, False)] if own else []
        rates.append((sum(start <= ts < end for ts, _ in seen), (end - start) / S))
    ages = [age for _, age in seen if age is not None]
    seconds = sum(end - start for start, end in seen_in) / S
    return {
        "updates": len(seen),
        "updates_per_s": len(seen) / seconds,
        "updates_per_s_se": ratio_error(rates),
        "stale_share": stale / judged if judged else None,
        "wait_p50_s": _life_quantile(waits, 0.5),
        "wait_p90_s": _life_quantile(waits, 0.9),
        "message_age_ms": sum(ages) / len(ages) / 1e6 if ages else None,
        "message_age_p50_ms": _age_quantile(ages, 0.5),
        "message_age_p90_ms": _age_quantile(ages, 0.9),
        "message_age_p99_ms": _age_quantile(ages, 0.99),
        "late_message_share": sum(age > S for age in ages) / len(ages) if ages else None,
    }


def _life_quantile(waits: Sequence[tuple[float, bool]], share: float) -> float | None:
    """Return the middle of the eighth of an octave up to which ``share`` of all ended, as its life table has it."""
    placed = [(floor(log2(max(wait, 1e-6)) * 8), whole) for wait, whole in waits]
    outlasting = 1.0
    for bucket in sorted({bucket for bucket, _ in placed}):
        cut = placed.count((bucket, False))
        outlasting *= 1 - placed.count((bucket, True)) / (sum(each >= bucket for each, _ in placed) - cut / 2)
        if outlasting <= 1 - share + 1e-9:
            return float(2 ** ((bucket + 0.5) / 8))
    return None


def _log_quantile(values: Sequence[float], share: float) -> float | None:
    """Return the middle of the eighth of an octave in which the quantile lies."""
    buckets = [(float(floor(log2(max(value, 1e-6)) * 8)), 1.0) for value in values]
    return float(2 ** ((_quantile(buckets, share) + 0.5) / 8)) if buckets else None


def _age_quantile(ages: Sequence[int], share: float) -> float | None:
    seconds = _log_quantile([age / S for age in ages], share)
    return None if seconds is None else seconds * 1_000


def _quantile(weighted: Sequence[tuple[float, float]], share: float) -> float:
    total, reached = sum(weight for _, weight in weighted), 0.0
    for value, weight in sorted(weighted):
        reached += weight
        if reached >= share * total - 1e-12 * total:
            return value
    raise AssertionError


def _average(held: Sequence[HeldRow], value: Callable[[BookRow], float | None]) -> float | None:
    """Return the mean by time of ``value`` where it is known."""
    known = [(found, (each.end - each.start) / S) for each in held if (found := value(each.row)) is not None]
    return sum(found * seconds for found, seconds in known) / sum(seconds for _, seconds in known) if known else None


def _by_visit(held: Sequence[HeldRow], value: Callable[[BookRow], float | None]) -> list[tuple[float, float]]:
    """Return of each visit the integral of a value over time, and the seconds for which it was known."""
    sums: defaultdict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for each in held:
        known, seconds = value(each.row), (each.end - each.start) / S
        if known is not None:
            sums[each.visit][0] += known * seconds
            sums[each.visit][1] += seconds
    return [(x, s) for x, s in sums.values()]


def _share(held: Sequence[HeldRow], value: Callable[[BookRow], bool]) -> float | None:
    return _average(held, lambda row: float(value(row)))


def _near(levels: Sequence[tuple[float, float]], cents: int) -> float:
    return sum(size for price, size in levels if abs(price - levels[0][0]) <= cents / 100 + _SAME)


def _walk(levels: Sequence[tuple[float, float]], dollars: float) -> float | None:
    shares = 0.0
    for price, size in levels:
        taken = min(size, dollars / price)
        shares, dollars = shares + taken, dollars - taken * price
        if dollars <= _SAME:
            return shares
    return None


def _cost(dollars: int, row: BookRow) -> float | None:
    middle, bought, sold = mid(row), _walk(row.asks, dollars), _walk(row.bids, dollars)
    if middle is None or bought is None or sold is None:
        return None
    return ((dollars - bought * middle) + (sold * middle - dollars)) / 2


def _is_tradable(dollars: int, row: BookRow) -> bool:
    return _cost(dollars, row) is not None


def _depth(side: str, cents: int, row: BookRow) -> float:
    return _near(row.bids if side == "bid" else row.asks, cents)


def _spread(row: BookRow) -> float | None:
    return None if mid(row) is None else row.asks[0][0] - row.bids[0][0]


def _lean(row: BookRow) -> float | None:
    bid, ask = _near(row.bids, 5), _near(row.asks, 5)
    return (bid - ask) / (bid + ask) if bid + ask and not crossed(row) else None


def _ends_within(cents: int, row: BookRow, levels: int = 3) -> bool:
    sides = [side for side in (row.bids, row.asks) if len(side) == levels]
    return any(abs(side[-1][0] - side[0][0]) < cents / 100 - _SAME for side in sides)


def _books(held: Sequence[HeldRow]) -> dict[str, float | None]:
    times: defaultdict[float, float] = defaultdict(float)
    for each in held:
        if (spread := _spread(each.row)) is not None:
            times[round(spread, 6)] += (each.end - each.start) / S
    found: dict[str, float | None] = {
        "trusted_s": sum(each.end - each.start for each in held) / S,
        "two_sided_share": _share(held, lambda row: mid(row) is not None),
        "crossed_share": _share(held, crossed),
        "spread_usd": _average(held, _spread),
        "spread_usd_se": ratio_error(_by_visit(held, _spread)),
        "spread_relative": _average(
            held, lambda row: None if _spread(row) is None else (_spread(row) or 0) / (mid(row) or 1)
        ),
        "mid_usd": _average(held, mid),
        "imbalance": _average(held, _lean),
        "bid_touch_shares": _average(held, lambda row: row.bids[0][1] if row.bids else 0.0),
        "ask_touch_shares": _average(held, lambda row: row.asks[0][1] if row.asks else 0.0),
    }
    two_sided = [each for each in held if mid(each.row) is not None]
    for cents in (1, 2, 5, 10):
        found[f"bid_depth_{cents}c_shares"] = _average(held, partial(_depth, "bid", cents))
        found[f"ask_depth_{cents}c_shares"] = _average(held, partial(_depth, "ask", cents))
    for side in ("bid", "ask"):
        found[f"{side}_depth_5c_shares_se"] = ratio_error(_by_visit(held, partial(_depth, side, 5)))
    for cents in (5, 10):
        found[f"depth_{cents}c_cut_share"] = _share(held, partial(_ends_within, cents))
    for dollars in (100, 1_000, 10_000):
        found[f"cost_{dollars}_usd"] = _average(held, partial(_cost, dollars))
        found[f"tradable_{dollars}_share"] = _share(two_sided, partial(_is_tradable, dollars))
    for share in (10, 50, 90):
        found[f"spread_p{share}_usd"] = _quantile(list(times.items()), share / 100) if times else None
    return found
