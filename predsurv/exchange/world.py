"""The generated markets, a function of the seed alone: titles, fair values, activity, closing times.

Every random choice comes from a stream named by the seed and its purpose, so that no part of the exchange takes
another part's draws: an order sent to one market changes nothing in the others.
"""

import random
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Final, Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.ids import EventId, InstrumentId, MarketId, Side, VenueName
from predsurv.core.market import FeeSchedule, Market, Outcome
from predsurv.core.num import MICROS, Money, Price, Size
from predsurv.exchange.titles import (
    CATEGORIES,
    FEE_RATES,
    HOSTILE,
    TAGS,
    MarketTitle,
    binary_title,
    exclusive_title,
)

VENUE: Final = VenueName("mock")
SECOND: Final = 1_000_000_000
DAY: Final = 86_400 * SECOND

Kind = Literal["binary", "event", "multi"]
"""A single binary market, an exclusive and exhaustive event of binary markets, a market of many outcomes."""


class PlannedMispricing(Struct, frozen=True):
    """A mispricing to come. ``ask``: all asks together cost less than they pay; ``bid``: all bids pay more.

    ``edge``: least profit, micros a share after fees. ``at``: ns after the exchange's start; ``duration`` in ns.
    """

    at: int
    duration: int
    side: Side
    edge: int


class GroupShape(NamedTuple):
    """``size``: the number of markets of an event, else of outcomes."""

    kind: Kind
    size: int


class GroupSpec(Struct, frozen=True, kw_only=True):
    """A group of markets whose prices move together. Times in ns after the exchange's start.

    ``fair_values``: one for each book, micros, adding up to 1 dollar where exactly one pays. ``weight``: activity
    relative to the other groups, 0 for none. ``half_spread`` in micros, ``shares`` the typical order size.
    """

    seed: int
    index: int
    kind: Kind
    category: str
    title: MarketTitle
    fair_values: tuple[int, ...]
    weight: int
    tick: int
    half_spread: int
    shares: int
    levels: int
    min_order_size: int
    closes_at: int
    void: bool = False
    mispricing: PlannedMispricing | None = None


class _ScriptedGroup(NamedTuple):
    """A group with a mispricing on ``side`` at ``starts`` for ``lasts``; times in tenths of a second."""

    shape: GroupShape
    side: Side
    starts: int
    lasts: int
    closes: int


# Early, so that a session of twenty seconds sees a mispricing found, traded and settled.
_SCRIPTED: Final = (
    _ScriptedGroup(GroupShape("event", 4), "ask", 30, 50, 120),
    _ScriptedGroup(GroupShape("event", 3), "bid", 45, 45, 140),
    _ScriptedGroup(GroupShape("multi", 4), "ask", 60, 50, 155),
    _ScriptedGroup(GroupShape("event", 5), "ask", 75, 50, 170),
    _ScriptedGroup(GroupShape("event", 3), "ask", 95, 45, 185),
    _ScriptedGroup(GroupShape("event", 4), "bid", 125, 50, 240),
)
_RANK_SCALE: Final = 1_000_000
_SHORT_LIVED: Final = 24
_VOID_MARKET: Final = 2
_MALFORMED_FROM: Final = 100
_FINE_GRID_PERIOD: Final = 7
_FINE_GRIDS: Final = {3: 2_500, 5: 100}
"""Tick sizes (micros) off the 0.001 grid by number in each period of groups."""
EXCLUSIVE_MAX: Final = 8


def random_stream(seed: int, *names: str | int) -> random.Random:
    """Return the generator that belongs to ``names`` under ``seed``; equal arguments give equal draws."""
    text = "/".join(str(part) for part in (seed, *names))
    return random.Random(int.from_bytes(blake2b(text.encode(), digest_size=16).digest(), "big"))


def build_groups(seed: int, markets: int, *, fine_grids: bool = False) -> tuple[GroupSpec, ...]:
    """Return the groups that are listed at the start; they have ``markets`` (at least 1) markets in all.

    ``fine_grids``: some have prices off the 0.001 grid, as only one venue has them; all else is the same.
    """
    rng = random_stream(seed, "world")
    shapes = list(_shapes(rng, markets))
    ranks = _activity_ranks(rng, [scripted is not None for _, scripted in shapes])
    specs: list[GroupSpec] = []
    binary_markets = 0
    for index, (shape, scripted) in enumerate(shapes):
        spec = draft_group(seed, index, shape, ranks[index])
        if scripted is not None:
            spec = _with_script(random_stream(seed, "script", index), spec, scripted)
        elif shape.kind == "binary":
            spec = _with_peculiarities(spec, binary_markets, random_stream(seed, "life", index))
            binary_markets += 1
        if fine_grids and scripted is None:
            spec = replace(spec, tick=_FINE_GRIDS.get(index % _FINE_GRID_PERIOD, spec.tick))
        specs.append(spec)
    return tuple(specs)


def draft_group(seed: int, index: int, shape: GroupShape, rank: int) -> GroupSpec:
    """Return group ``index``, the ``rank``-th busiest; it closes after days to months."""
    kind, count = shape
    rng = random_stream(seed, "unit", index)
    category = rng.choice(CATEGORIES)
    title = binary_title(rng, category) if kind == "binary" else exclusive_title(rng, category, count)
    tick = rng.choices((10_000, 1_000, 5_000), (86, 8, 6))[0]
    thin = rng.randrange(100) < 25 and rank > 8
    return GroupSpec(
        seed=seed,
        index=index,
        kind=kind,
        category=category,
        title=title,
        fair_values=(_fair_value(rng),) if kind == "binary" else _exclusive_fair_values(rng, count),
        weight=_weight(rng, rank, thin=thin),
        tick=tick,
        half_spread=rng.choice((25_000, 40_000, 60_000) if thin else (4_000, 6_000, 9_000)),
        shares=rng.randrange(8, 40) if thin else rng.randrange(60, 400),
        levels=rng.randrange(2, 4) if thin else rng.randrange(5, 9),
        min_order_size=rng.choice((5, 5, 5, 1)) * MICROS,
        closes_at=rng.randrange(1, 240) * DAY + rng.randrange(DAY),
    )


def market_records(spec: GroupSpec, origin: int) -> tuple[Market, ...]:
    """Return the market records of a group as of its listing; ``origin`` is ns UTC."""
    name = f"{spec.category}-{spec.index:04d}"
    if spec.kind != "event":
        labels = enumerate(spec.title.labels)
        suffixes = ("yes", "no") if spec.kind == "binary" else tuple("abcdefgh")
        outcomes = tuple(Outcome(InstrumentId(f"{name}-{suffixes[i]}"), label) for i, label in labels)
        return (_record(spec, MarketId(name), spec.title.headline, outcomes, origin),)
    return tuple(
        _record(spec, MarketId(f"{name}-{letter}"), question, _yes_no(f"{name}-{letter}"), origin)
        for letter, question in zip("abcdefgh", spec.title.questions, strict=False)
    )


def _record(spec: GroupSpec, market_id: MarketId, question: str, outcomes: tuple[Outcome, ...], origin: int) -> Market:
    rng = random_stream(spec.seed, "record", market_id)
    volume = spec.weight * rng.randrange(20, 60) * MICROS // 10
    exclusive = spec.kind == "event"
    return Market(
        venue=VENUE,
        market_id=market_id,
        event_id=EventId(f"{spec.category}-{spec.index:04d}"),
        question=question,
        outcomes=outcomes,
        status="active",
        tick_size=Price(spec.tick),
        min_order_size=Size(spec.min_order_size),
        fetched_at=origin,
        description=spec.title.headline,
        category=spec.category,
        tags=(spec.category, rng.choice(TAGS[spec.category])),
        neg_risk=exclusive,
        mutually_exclusive=exclusive,
        exhaustive=exclusive,
        fee=FeeSchedule(model="polymarket", rate=FEE_RATES[spec.category], since=origin - rng.randrange(30, 400) * DAY),
        volume=Money(volume * rng.randrange(8, 90)),
        volume_24h=Money(volume),
        liquidity=Money(spec.shares * spec.levels * MICROS if spec.weight else 0),
        open_interest=Money(volume * rng.randrange(1, 5)),
        close_time=origin + spec.closes_at,
        rules_hash=f"{rng.getrandbits(64):016x}",
        tradable=True,
        event_title=spec.title.headline,
    )


def _yes_no(name: str) -> tuple[Outcome, ...]:
    return (Outcome(InstrumentId(f"{name}-yes"), "Yes"), Outcome(InstrumentId(f"{name}-no"), "No"))


def _shapes(rng: random.Random, markets: int) -> Iterator[tuple[GroupShape, _ScriptedGroup | None]]:
    left = markets
    for scripted in _SCRIPTED:
        size = scripted.shape.size if scripted.shape.kind == "event" else 1
        if markets < 2 * size or left <= size:
            continue
        left -= size
        yield scripted.shape, scripted
    while left:
        draw = rng.randrange(100)
        if draw < 25 and left >= 3:
            count = rng.randrange(3, min(left, EXCLUSIVE_MAX) + 1)
            left -= count
            yield GroupShape("event", count), None
        else:
            left -= 1
            yield (GroupShape("multi", rng.randrange(3, 7)) if draw > 92 else GroupShape("binary", 2)), None


def _activity_ranks(rng: random.Random, is_scripted: Sequence[bool]) -> list[int]:
    """Return each group's rank by activity; scripted groups are busy enough to be selected for recording."""
    scripted = [index for index, value in enumerate(is_scripted) if value]
    others = [index for index, value in enumerate(is_scripted) if not value]
    rng.shuffle(others)
    order = others[:3] + scripted + others[3:]
    ranks = [0] * len(is_scripted)
    for rank, index in enumerate(order):
        ranks[index] = rank
    return ranks


def _with_script(rng: random.Random, spec: GroupSpec, scripted: _ScriptedGroup) -> GroupSpec:
    tenth = SECOND // 10
    mispricing = PlannedMispricing(
        at=(scripted.starts + rng.randrange(-4, 5)) * tenth,
        duration=scripted.lasts * tenth,
        side=scripted.side,
        edge=rng.randrange(12, 30) * 1_000,
    )
    return replace(
        spec,
        mispricing=mispricing,
        tick=10_000,
        half_spread=6_000,
        shares=rng.randrange(90, 260),
        levels=6,
        min_order_size=5 * MICROS,
        fair_values=_exclusive_fair_values(rng, len(spec.fair_values)),
        closes_at=(scripted.closes + rng.randrange(-4, 5)) * tenth,
    )


def _with_peculiarities(spec: GroupSpec, number: int, rng: random.Random) -> GroupSpec:
    """Give some binary markets, by ``number``, an early closing, a hostile title or a price near 0 or 1."""
    if number < _SHORT_LIVED:
        closes = 6 * SECOND + number * 6 * SECOND + rng.randrange(SECOND)
        spec = replace(spec, closes_at=closes, void=number == _VOID_MARKET)
    hostile = number - _SHORT_LIVED
    if 0 <= hostile < len(HOSTILE):
        title = MarketTitle(HOSTILE[hostile], (HOSTILE[hostile],), ("Yes\u202e", "No"))
        spec = replace(spec, title=title, weight=max(spec.weight, 1))
    if number % 9 == 3:
        extreme = rng.choice((952_000, 46_000, 947_000, 50_000))
        spec = replace(spec, fair_values=(extreme,), half_spread=min(spec.half_spread, 6_000))
    return spec


def _fair_value(rng: random.Random) -> int:
    return rng.choice((rng.randrange(80_000, 920_000), rng.randrange(250_000, 750_000)))


def _exclusive_fair_values(rng: random.Random, count: int) -> tuple[int, ...]:
    """Return ``count`` fair values that add up to 1 dollar."""
    weights = [rng.randrange(4, 16) for _ in range(count)]
    fair_values = [weight * MICROS // sum(weights) for weight in weights]
    fair_values[0] += MICROS - sum(fair_values)
    return tuple(fair_values)


def _weight(rng: random.Random, rank: int, *, thin: bool) -> int:
    if rank > 8 and rng.randrange(100) < 8:
        return 0
    weight = _RANK_SCALE // (rank + 3)
    return weight // 25 if thin else weight


def malformed_rows(markets: int) -> tuple[dict[str, str], ...]:
    """Return catalogue rows that cannot be parsed, as large venues always have some; none for few ``markets``."""
    if markets < _MALFORMED_FROM:
        return ()
    return ({"market_id": "culture-9999", "question": "Will this row parse?", "tick_size": "NaN"},)
