"""Which markets exist, made of nothing but the seed.

Kept apart from the exchange because it is fixed before the first trade: what a unit is called,
what it costs, how busy it is, when it ends.
"""

import random
from collections.abc import Iterator
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.ids import EventId, InstrumentId, MarketId, Side, VenueName
from predsurv.core.market import FeeSchedule, Market, Outcome
from predsurv.core.num import MICROS, Money, Price, Size
from predsurv.exchange.rng import stream
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
"""A lone yes-or-no market, an exclusive and exhaustive event of them, a market of many outcomes."""


class PlannedMispricing(Struct, frozen=True):
    """A mispricing to come: ``ask``: all asks cost less than they pay; ``bid``: the mirror of it.

    ``edge`` micros a share after fees at least, from ``at`` for ``duration`` ns after the start.
    """

    at: int
    duration: int
    side: Side
    edge: int


class UnitSpec(Struct, frozen=True, kw_only=True):
    """One thing whose prices move together. Times in ns after the exchange's start.

    ``fairs``: one a book, micros, adding up to 1 where exactly one pays. ``weight``: share of the
    activity relative to the others, 0 never moves. ``half_spread`` micros, ``shares`` typical size.
    """

    seed: int
    index: int
    kind: Kind
    category: str
    title: MarketTitle
    fairs: tuple[int, ...]
    weight: int
    tick: int
    half_spread: int
    shares: int
    levels: int
    min_order_size: int
    closes_at: int
    void: bool = False
    basket: PlannedMispricing | None = None


# (kind, markets or outcomes, basket side, starts, lasts, closes): early, so that a session of
# twenty seconds sees found, filled and settled. Tenths of a second.
_SCRIPTED: Final[tuple[tuple[Kind, int, Side, int, int, int], ...]] = (
    ("event", 4, "ask", 30, 50, 120),
    ("event", 3, "bid", 45, 45, 140),
    ("multi", 4, "ask", 60, 50, 155),
    ("event", 5, "ask", 75, 50, 170),
    ("event", 3, "ask", 95, 45, 185),
    ("event", 4, "bid", 125, 50, 240),
)
_RANK_SCALE: Final = 1_000_000
_SHORT_LIVES: Final = 24
_VOID_LIFE: Final = 2
_BROKEN_FROM: Final = 100
EXCLUSIVE_MAX: Final = 8


def build(seed: int, markets: int) -> tuple[UnitSpec, ...]:
    """Return the units that exist at the start: ``markets`` (at least 1) markets in all."""
    rng = stream(seed, "world")
    shapes = list(_shapes(rng, markets))
    ranks = _ranks(rng, shapes)
    specs: list[UnitSpec] = []
    lone = 0
    for index, (kind, count, scripted) in enumerate(shapes):
        spec = draft(seed, index, (kind, count), ranks[index])
        if scripted is not None:
            spec = _scripted(stream(seed, "script", index), spec, scripted)
        elif kind == "binary":
            spec = _lone(spec, lone, stream(seed, "life", index))
            lone += 1
        specs.append(spec)
    return tuple(specs)


def draft(seed: int, index: int, shape: tuple[Kind, int], rank: int) -> UnitSpec:
    """Return unit ``index``: the ``rank``-th busiest, living for days to months."""
    kind, count = shape
    rng = stream(seed, "unit", index)
    category = rng.choice(CATEGORIES)
    title = binary_title(rng, category) if kind == "binary" else exclusive_title(rng, category, count)
    tick = rng.choices((10_000, 1_000, 5_000), (86, 8, 6))[0]
    thin = rng.randrange(100) < 25 and rank > 8
    return UnitSpec(
        seed=seed,
        index=index,
        kind=kind,
        category=category,
        title=title,
        fairs=(_fair(rng),) if kind == "binary" else _shares_of_one(rng, count),
        weight=_weight(rng, rank, thin=thin),
        tick=tick,
        half_spread=rng.choice((25_000, 40_000, 60_000) if thin else (4_000, 6_000, 9_000)),
        shares=rng.randrange(8, 40) if thin else rng.randrange(60, 400),
        levels=rng.randrange(2, 4) if thin else rng.randrange(5, 9),
        min_order_size=rng.choice((5, 5, 5, 1)) * MICROS,
        closes_at=rng.randrange(1, 240) * DAY + rng.randrange(DAY),
    )


def records(spec: UnitSpec, origin: int) -> tuple[Market, ...]:
    """Return the market records of a unit as of its listing; ``origin`` is ns UTC."""
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


def _record(spec: UnitSpec, market_id: MarketId, question: str, outcomes: tuple[Outcome, ...], origin: int) -> Market:
    rng = stream(spec.seed, "record", market_id)
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
    )


def _yes_no(name: str) -> tuple[Outcome, ...]:
    return (Outcome(InstrumentId(f"{name}-yes"), "Yes"), Outcome(InstrumentId(f"{name}-no"), "No"))


_Script = tuple[Kind, int, Side, int, int, int]


def _shapes(rng: random.Random, markets: int) -> Iterator[tuple[Kind, int, _Script | None]]:
    left = markets
    for script in _SCRIPTED:
        size = script[1] if script[0] == "event" else 1
        if markets < 2 * size or left <= size:
            continue
        left -= size
        yield script[0], script[1], script
    while left:
        draw = rng.randrange(100)
        if draw < 25 and left >= 3:
            count = rng.randrange(3, min(left, EXCLUSIVE_MAX) + 1)
            left -= count
            yield "event", count, None
        else:
            left -= 1
            yield ("multi", rng.randrange(3, 7), None) if draw > 92 else ("binary", 2, None)


def _ranks(rng: random.Random, shapes: list[tuple[Kind, int, _Script | None]]) -> list[int]:
    """Return each unit's place by activity; scripted units are busy enough to be picked for recording."""
    scripted = [index for index, shape in enumerate(shapes) if shape[2] is not None]
    others = [index for index, shape in enumerate(shapes) if shape[2] is None]
    rng.shuffle(others)
    order = others[:3] + scripted + others[3:]
    ranks = [0] * len(shapes)
    for rank, index in enumerate(order):
        ranks[index] = rank
    return ranks


def _scripted(rng: random.Random, spec: UnitSpec, script: _Script) -> UnitSpec:
    _, _, side, starts, lasts, closes = script
    tenth = SECOND // 10
    basket = PlannedMispricing(
        at=(starts + rng.randrange(-4, 5)) * tenth,
        duration=lasts * tenth,
        side=side,
        edge=rng.randrange(12, 30) * 1_000,
    )
    return replace(
        spec,
        basket=basket,
        tick=10_000,
        half_spread=6_000,
        shares=rng.randrange(90, 260),
        levels=6,
        min_order_size=5 * MICROS,
        fairs=_shares_of_one(rng, len(spec.fairs)),
        closes_at=(closes + rng.randrange(-4, 5)) * tenth,
    )


def _lone(spec: UnitSpec, number: int, rng: random.Random) -> UnitSpec:
    """Give the ``number``-th lone market its special part, if it has one: a short life, a bad name."""
    if number < _SHORT_LIVES:
        closes = 6 * SECOND + number * 6 * SECOND + rng.randrange(SECOND)
        spec = replace(spec, closes_at=closes, void=number == _VOID_LIFE)
    rude = number - _SHORT_LIVES
    if 0 <= rude < len(HOSTILE):
        title = MarketTitle(HOSTILE[rude], (HOSTILE[rude],), ("Yes\u202e", "No"))
        spec = replace(spec, title=title, weight=max(spec.weight, 1))
    if number % 9 == 3:
        edge = rng.choice((952_000, 46_000, 947_000, 50_000))
        spec = replace(spec, fairs=(edge,), half_spread=min(spec.half_spread, 6_000))
    return spec


def _fair(rng: random.Random) -> int:
    return rng.choice((rng.randrange(80_000, 920_000), rng.randrange(250_000, 750_000)))


def _shares_of_one(rng: random.Random, count: int) -> tuple[int, ...]:
    weights = [rng.randrange(4, 16) for _ in range(count)]
    fairs = [weight * MICROS // sum(weights) for weight in weights]
    fairs[0] += MICROS - sum(fairs)
    return tuple(fairs)


def _weight(rng: random.Random, rank: int, *, thin: bool) -> int:
    if rank > 8 and rng.randrange(100) < 8:
        return 0
    weight = _RANK_SCALE // (rank + 3)
    return weight // 25 if thin else weight


def broken_rows(markets: int) -> tuple[dict[str, str], ...]:
    """Return catalogue rows that no reader can make sense of: a large venue always has some."""
    if markets < _BROKEN_FROM:
        return ()
    return ({"market_id": "culture-9999", "question": "Will this row parse?", "tick_size": "NaN"},)
