"""Two markets field by field: what agrees, what conflicts, and what one side does not say."""

from collections.abc import Sequence
from typing import Final

from predsurv.core.num import MICROS
from predsurv.mapping import intervals
from predsurv.mapping.actions import TELLING, conflicts
from predsurv.mapping.findings import FieldName, Finding, Status
from predsurv.mapping.games import game_conflict
from predsurv.mapping.intervals import HIGHEST, LOWEST, Interval
from predsurv.mapping.periods import moment_against_deadline, window_text
from predsurv.mapping.quantities import Quantity
from predsurv.mapping.terms import Terms

WHOLE: Final = frozenset(
    {
        "score",
        "seat",
        "tweet",
        "temperature",
        "rotten",
        "goal",
        "point",
        "game",
        "post",
        "time",
        "vote",
        "state",
    }
    | {
        "cut",
        "hike",
        "medal",
        "touchdown",
        "tsa",
        "word",
        "launch",
        "hurricane",
        "storm",
        "tornado",
        "earthquake",
        "home",
    }
    | {"run", "strikeout", "assist", "rebound", "episode", "week", "justice", "order", "veto", "pardon", "win", "count"}
)
"""Words of quantities that are whole numbers, so that "above 90" is "91 or more"."""

_SCORES: Final = frozenset({"score", "rotten"})
_TENTHS: Final = frozenset({"cpi", "unemployment", "pce", "jobless"})
_PRICES: Final = frozenset(
    {"bitcoin", "ethereum", "solana", "xrp", "dogecoin", "stock", "gold", "oil", "spx", "nasdaq", "price"}
)


def grid_of(one: Terms, other: Terms) -> int | None:
    """Return the step (micros) of the quantity that both ask about, None where it may be any number."""
    said = {*one.words, *one.subject, *other.words, *other.subject}
    units = {each.quantity.unit for each in (one, other) if each.quantity is not None}
    if "usd" in units or "time" in units:
        return None
    if said & _TENTHS:
        return MICROS // 10
    whole = _SCORES if "pct" in units else WHOLE
    return MICROS if said & whole and not said & _PRICES else None


def snapped(quantity: Quantity, grid: int | None) -> Interval:
    """Return what a quantity covers, on the grid of the values that it can take."""
    return quantity.interval if grid is None else intervals.on_grid(quantity.interval, grid)


def threshold(one: Terms, other: Terms) -> Finding:
    """Compare thresholds and buckets. A unit that only one side names is taken to be meant by the other."""
    first, second = one.quantity, other.quantity
    texts = _interval_text(first), _interval_text(second)
    if first is None or second is None:
        return Finding("threshold", "absent" if first is second else "unknown", *texts)
    if first.unit != second.unit and "count" not in (first.unit, second.unit):
        return Finding("threshold", "conflict", *texts)
    grid = grid_of(one, other)
    mine, yours = snapped(first, grid), snapped(second, grid)
    if mine.empty or yours.empty:
        return Finding("threshold", "conflict", *texts)
    relation = intervals.relate(mine, yours)
    if relation != "equal" and grid is None and _equal_if_whole(first, second, one, other):
        return Finding("threshold", "likely", *texts)
    if _is_bare_bound(mine, first, yours, second) or _is_bare_bound(yours, second, mine, first):
        return Finding("threshold", "likely", *texts)
    status: dict[str, Status] = {"equal": "agree", "complement": "opposite", "subset": "narrower", "superset": "wider"}
    return Finding("threshold", status.get(relation, "overlap" if relation == "overlap" else "conflict"), *texts)


def _is_bare_bound(mine: Interval, said: Quantity, yours: Interval, heard: Quantity) -> bool:
    """Return whether ``said`` is a price without a comparator ("$150,000") at the bound that the other side states.

    It probably means that bound, and whether above, from or below it nobody says: "more than k" against "k" was among
    the most frequent false pairs.
    """
    bare = said.form == "exact" and heard.form == "bound" and said.unit == "usd"
    return bare and mine.low in (yours.low, yours.low - 1, yours.high - 1, yours.high)


def _equal_if_whole(first: Quantity, second: Quantity, one: Terms, other: Terms) -> bool:
    """Return whether the intervals are one and the same if the quantity is a whole number, which nobody states."""
    said = {*one.words, *one.subject, *other.words, *other.subject}
    if said & _PRICES or first.unit != "count" or second.unit != "count":
        return False
    return intervals.on_grid(first.interval, MICROS) == intervals.on_grid(second.interval, MICROS)


def is_boundary(one: Terms, other: Terms) -> bool:
    """Return whether the intervals differ by no more than the numbers at their ends ("above 90" and "90 or above")."""
    if one.quantity is None or other.quantity is None:
        return False
    grid = grid_of(one, other)
    mine, yours = snapped(one.quantity, grid), snapped(other.quantity, grid)
    return mine != yours and abs(mine.low - yours.low) <= 1 and abs(mine.high - yours.high) <= 1


def _interval_text(quantity: Quantity | None) -> str:
    if quantity is None:
        return ""
    low, high = quantity.interval.low, quantity.interval.high
    start = "(-inf" if low == LOWEST else f"{'(' if low % 2 else '['}{_number(low // 2)}"
    end = "inf)" if high == HIGHEST else f"{_number(high // 2)}{']' if high % 2 else ')'}"
    return f"{start}, {end} {quantity.unit}"


def _number(micros: int) -> str:
    whole, part = divmod(abs(micros), MICROS)
    text = f"{whole}.{part:06d}".rstrip("0").rstrip(".")
    return f"-{text}" if micros < 0 else text


def game(one: Terms, other: Terms) -> Finding:
    """Compare the game instances that identifiers name."""
    if one.combination or other.combination:
        return Finding(
            "combination",
            "conflict",
            "combination" if one.combination else "",
            "combination" if other.combination else "",
        )
    if one.game is None and other.game is None:
        return Finding("game", "absent")
    if one.game is None or other.game is None:
        return Finding("game", "unknown")
    clash = game_conflict(one.game, other.game) if one.venue == "kalshi" else game_conflict(other.game, one.game)
    return Finding("game", "agree") if clash is None else Finding("game", "conflict", clash)


def action(one: Terms, other: Terms) -> Finding:
    """Compare verb classes; what the title leaves open, the rules may say."""
    clash = next(iter(conflicts(one.actions, other.actions)), None)
    if clash is not None:
        return Finding("action", "conflict", one.actions[clash], other.actions[clash])
    if moment_against_deadline(one, other):
        return Finding("action", "conflict", window_text(one), window_text(other))
    odd = set(one.actions.values()) ^ set(other.actions.values())
    if odd & TELLING and not (odd & TELLING) & _rule_actions(one, other):
        return Finding("action", "conflict", _said(one), _said(other))
    if not one.actions and not other.actions:
        return Finding("action", "absent")
    agreed = any(one.actions.get(family) == name for family, name in other.actions.items())
    told = agreed or _told_by_rules(one, other) or _told_by_rules(other, one)
    return Finding("action", "agree" if told else "unknown", _said(one), _said(other))


def _told_by_rules(one: Terms, other: Terms) -> bool:
    """Return whether the rules of ``other`` name every class that the title of ``one`` names."""
    return bool(one.actions) and other.rules is not None and one.actions.items() <= other.rules.actions.items()


def _rule_actions(one: Terms, other: Terms) -> set[str]:
    return {name for each in (one, other) if each.rules is not None for name in each.rules.actions.values()}


def _said(terms: Terms) -> str:
    return ", ".join(terms.actions.values())


def bet(one: Terms, other: Terms) -> Finding:
    """Compare what is bet on beside the winner."""
    texts = ", ".join(sorted(one.bets)), ", ".join(sorted(other.bets))
    if one.bets == other.bets:
        return Finding("bet", "agree" if one.bets else "absent", *texts)
    return Finding("bet", "conflict", *texts)


def negation(one: Terms, other: Terms) -> Finding:
    """Tell a market that asks that something does not happen."""
    return Finding("negation", "opposite" if one.negated != other.negated else "absent")


def outcome(one: Terms, other: Terms, found: Sequence[Finding]) -> Finding:
    """Compare what both paid, given the other findings; absent where either has not settled, or was void.

    That both paid the same proves little; that they paid what they could not, were they what they seem, is a conflict.
    """
    if one.paid is None or other.paid is None:
        return Finding("outcome", "absent")
    statuses = [each.status for each in found]
    expected = MICROS - other.paid if statuses.count("opposite") % 2 else other.paid
    if "narrower" in statuses and "wider" not in statuses:
        possible = one.paid <= expected
    elif "wider" in statuses and "narrower" not in statuses:
        possible = one.paid >= expected
    else:
        possible = one.paid == expected or {"narrower", "wider", "overlap"} & {*statuses} != set()
    return Finding("outcome", "agree" if possible else "conflict", _paid(one.paid), _paid(other.paid))


def _paid(micros: int) -> str:
    return f"paid ${_number(micros)}"


def settlement(one: Terms, other: Terms) -> tuple[Finding, ...]:
    """Compare who settles, what a void pays and in which form each pays; unknown where a side has no rules."""
    if one.rules is None or other.rules is None:
        return tuple(Finding(name, "unknown") for name in ("source", "void", "payoff"))
    first, second = one.rules, other.rules
    indices = _sets("source", first.indices | first.stations, second.indices | second.stations)
    found = indices if indices.status == "conflict" else _sets("source", first.sources, second.sources)
    return found, _values("void", first.void, second.void), _payoff(first.payoff, second.payoff)


def _sets(name: FieldName, first: frozenset[str], second: frozenset[str]) -> Finding:
    texts = ", ".join(sorted(first)), ", ".join(sorted(second))
    if not first or not second:
        return Finding(name, "unknown", *texts)
    return Finding(name, "agree" if first & second else "conflict", *texts)


def _values(name: FieldName, first: str | None, second: str | None) -> Finding:
    if first is None and second is None:
        return Finding(name, "absent")
    if first is None or second is None:
        return Finding(name, "unknown", first or "", second or "")
    return Finding(name, "agree" if first == second else "conflict", first, second)


def _payoff(first: str | None, second: str | None) -> Finding:
    if first is None or second is None:
        clash = "binary" not in (first or second or "binary")
        return Finding("payoff", "conflict" if clash else "unknown", first or "", second or "")
    return Finding("payoff", "agree" if first == second == "binary" else "conflict", first, second)
