"""The sums of a set of outcomes once more, in plain Python, moment by moment."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from predsurv.core.fees import taker_fee
from predsurv.core.num import MICROS, Price, Size
from tests.kit.mined_moments import HeldRow, crossed, held_rows
from tests.kit.mined_tapes import HOUR, S
from tests.kit.outcome_tapes import Leg, OutcomeTape, Window

_SETS = 1_000
_Held = list[list[HeldRow]]


class Moment(NamedTuple):
    """What the set was from ``start`` to ``end`` (ns after T0); dollars."""

    start: int
    end: int
    bids: float
    asks: float | None
    left: float
    left_net: float


def expected_sums(tape: OutcomeTape) -> dict[str, float | None]:
    """Return what the statistics have to say of the set; nothing where it was never observed."""
    found = list(_moments(tape))
    if not found:
        return {}
    seconds = sum(each.end - each.start for each in found) / S
    asked = [(each.asks, each.end - each.start) for each in found if each.asks is not None]
    said: dict[str, float | None] = {
        "outcome_legs": len(tape.legs),
        "outcome_sum_s": seconds,
        "outcome_bid_sum_usd": sum(each.bids * (each.end - each.start) for each in found) / S / seconds,
        "outcome_ask_sum_usd": sum(a * t for a, t in asked) / sum(t for _, t in asked) if asked else None,
    }
    for net, name in ((False, ""), (True, "_after_fees")):
        stretches = list(_stretches(found, net=net))
        said[f"outcome_beyond{name}_share"] = (
            sum(each.end - each.start for run in stretches for each in run) / S / seconds
        )
        said[f"outcome_excursions{name}"] = len(stretches)
        said[f"outcome_longest_excursion{name}_s"] = max((_lasted(run) for run in stretches), default=0.0)
        deepest = (each.left_net if net else each.left for run in stretches for each in run)
        said[f"outcome_deepest_excursion{name}_usd"] = max(deepest, default=0.0)
    return said


def _moments(tape: OutcomeTape) -> Iterator[Moment]:
    held = [[row for hour in range(2) for row in held_rows(leg.tape, hour)] for leg in tape.legs]
    edges = {HOUR}
    for leg, rows in zip(tape.legs, held, strict=True):
        edges |= {edge for row in rows for edge in (row.start, row.end)}
        edges |= {edge for window in leg.windows for edge in (window.since, window.until)}
    for start, end in pairwise(sorted(edges)):
        moment = _moment(tape, held, start, end)
        if moment is not None:
            yield moment


def _moment(tape: OutcomeTape, held: _Held, start: int, end: int) -> Moment | None:
    bids = asks = bid_fees = ask_fees = 0
    offered = True
    for leg, rows in zip(tape.legs, held, strict=True):
        row = next((each.row for each in rows if each.start <= start < each.end), None)
        window = _window(leg, start)
        if row is None or window is None or not row.trusted or crossed(row):
            return None
        if row.bids:
            bids += (bid := round(row.bids[0][0] * MICROS))
            bid_fees += taker_fee(window.fee, Price(bid), Size(_SETS * MICROS), "sell")
        if row.asks:
            asks += (ask := round(row.asks[0][0] * MICROS))
            ask_fees += taker_fee(window.fee, Price(ask), Size(_SETS * MICROS), "buy")
        offered = offered and bool(row.asks)
    buys = offered and tape.exhaustive
    selling, buying = _SETS * (bids - MICROS), _SETS * (MICROS - asks)
    left = max(selling, buying) if buys else selling
    left_net = max(selling - bid_fees, buying - ask_fees) if buys else selling - bid_fees
    unit = _SETS * MICROS
    return Moment(start, end, bids / MICROS, asks / MICROS if offered else None, left / unit, left_net / unit)


def _window(leg: Leg, ts: int) -> Window | None:
    return next((window for window in leg.windows if window.since <= ts < window.until), None)


def _stretches(found: list[Moment], *, net: bool) -> Iterator[list[Moment]]:
    run: list[Moment] = []
    for each in found:
        if (each.left_net if net else each.left) <= 0:
            continue
        if run and run[-1].end != each.start:
            yield run
            run = []
        run.append(each)
    if run:
        yield run


def _lasted(run: list[Moment]) -> float:
    return (run[-1].end - run[0].start) / S
