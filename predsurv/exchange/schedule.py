"""What befalls the markets: listings, news, closings, settlements, new fees and ticks.

Kept apart from the exchange because it is the plot, not the machinery: each happening is an actor
with its own stream that the exchange wakes.
"""

import json
import random
from functools import partial
from typing import Final, Protocol

from msgspec.structs import replace

from predsurv.core.ids import Side
from predsurv.core.market import Market
from predsurv.core.num import MICROS, Price, format_micros
from predsurv.exchange.directory import MarketDirectory
from predsurv.exchange.mispricing import Mispricing, begin, edge_of, end
from predsurv.exchange.rng import stream
from predsurv.exchange.tape import Tape
from predsurv.exchange.units import FINE_TICK, CorrelatedUnit
from predsurv.exchange.world import SECOND, UnitSpec, draft, records

_SETTLES_AFTER: Final = SECOND * 8 // 10
_LISTING_RANK: Final = 14
_FIRST_LISTING: Final = 4 * SECOND
_FIRST_NEWS: Final = 28 * SECOND
_FEE_CHANGE: Final = 40 * SECOND
_NEWS_TRIES: Final = 8
_HALF: Final = Price(MICROS // 2)


class ScheduleTarget(Protocol):
    """What the plot needs of the exchange."""

    seed: int
    origin: int
    units: list[CorrelatedUnit]
    mispricings: list[Mispricing]
    directory: MarketDirectory
    tape: Tape

    def add(self, spec: UnitSpec) -> CorrelatedUnit: ...
    def settle(self, market: Market, payouts: tuple[Price, ...], *, void: bool) -> None: ...
    def schedule(self, at: int, act: "ScheduledActor") -> None: ...


class ScheduledActor(Protocol):
    """Something that happens at ``now`` and says when it happens again."""

    def __call__(self, now: int, /) -> int | None: ...


class Schedule:
    """The plot of one exchange; times in ns UTC. Lists nothing once ``units_max`` is reached."""

    def __init__(self, stage: ScheduleTarget, listed: int, units_max: int) -> None:
        self._stage = stage
        self._next = listed
        self._units_max = units_max
        self._listing: random.Random = stream(stage.seed, "listing")
        self._news: random.Random = stream(stage.seed, "news")
        self._fees: random.Random = stream(stage.seed, "fees")

    def start(self) -> None:
        """Set the recurring happenings going."""
        origin = self._stage.origin
        self._stage.schedule(origin + _FIRST_LISTING, self._list)
        self._stage.schedule(origin + _FIRST_NEWS, self._break_news)
        self._stage.schedule(origin + _FEE_CHANGE, self._change_fee)

    def add(self, unit: CorrelatedUnit) -> None:
        """Plan the life of a unit: its mispricing, its end, a finer tick when it gets extreme."""
        stage, spec = self._stage, unit.spec
        stage.schedule(stage.origin + spec.closes_at, partial(self._close, unit))
        if spec.basket is not None:
            act = partial(self._misprice, unit, spec.basket.side, spec.basket.edge, spec.basket.duration)
            stage.schedule(stage.origin + spec.basket.at, act)
        if spec.kind == "binary" and spec.tick > FINE_TICK:
            unit.on_fine = partial(self._refine, unit)

    def _list(self, now: int) -> int | None:
        stage, rng = self._stage, self._listing
        spec = draft(stage.seed, self._next, ("event", 3) if rng.randrange(5) == 0 else ("binary", 2), _LISTING_RANK)
        lasts = rng.randrange(25, 240) * SECOND if rng.randrange(3) else spec.closes_at
        spec = replace(spec, closes_at=now - stage.origin + lasts)
        self._next += 1
        unit = stage.add(spec)
        self.add(unit)
        for market in records(spec, stage.origin):
            stage.tape.lifecycle(market, "created", json.dumps({"question": market.question}))
            stage.tape.lifecycle(market, "activated", json.dumps({"status": "active"}))
        return now + rng.randrange(8, 14) * SECOND + rng.randrange(SECOND) if self._next < self._units_max else None

    def _break_news(self, now: int) -> int:
        rng, units = self._news, self._stage.units
        for _ in range(_NEWS_TRIES):
            unit = units[rng.randrange(len(units))]
            duration = rng.randrange(3, 7) * SECOND
            if not self._can_misprice(unit, now + 2 * duration):
                continue
            side: Side = "bid" if unit.spec.kind == "event" and rng.randrange(3) == 0 else "ask"
            self._misprice(unit, side, rng.randrange(10, 30) * 1_000, duration, now)
            break
        return now + rng.randrange(7, 14) * SECOND + rng.randrange(SECOND)

    def _can_misprice(self, unit: CorrelatedUnit, until: int) -> bool:
        spec = unit.spec
        lively = spec.kind != "binary" and spec.shares >= 60 and unit.interval > 0
        return lively and not unit.quiet and not unit.closed and self._stage.origin + spec.closes_at > until

    def _misprice(self, unit: CorrelatedUnit, side: Side, edge: int, duration: int, now: int) -> None:
        stage = self._stage
        fee = records(unit.spec, stage.origin)[0].fee
        sleeper = begin(unit, fee, side, edge)
        if sleeper is None:
            return
        stage.schedule(now + duration, partial(self._correct, unit, sleeper))
        found = edge_of(unit, fee, side)
        if found is not None:
            stage.mispricings.append(Mispricing(now, now + duration, unit.spec.index, side, *found))

    def _correct(self, unit: CorrelatedUnit, sleeper: int, now: int) -> None:  # noqa: ARG002
        if not unit.closed:
            end(unit, sleeper)

    def _close(self, unit: CorrelatedUnit, now: int) -> None:
        stage = self._stage
        unit.close()
        for market in records(unit.spec, stage.origin):
            closed = stage.directory.change(market.market_id, status="closed", tradable=False)
            stage.tape.lifecycle(closed, "closed", json.dumps({"status": "closed"}))
        stage.schedule(now + _SETTLES_AFTER, partial(self._settle, unit))

    def _settle(self, unit: CorrelatedUnit, now: int) -> None:  # noqa: ARG002
        stage, spec = self._stage, unit.spec
        winner = unit.winner()
        for index, market in enumerate(records(spec, stage.origin)):
            payouts = _payouts(spec, index, winner)
            settled = stage.directory.change(market.market_id, status="void" if spec.void else "resolved")
            stage.settle(settled, payouts, void=spec.void)

    def _refine(self, unit: CorrelatedUnit, index: int) -> None:
        """Make the tick finer, once: prices near 0 or 1 need it."""
        unit.on_fine = None
        unit.books[index].tick = FINE_TICK
        market_id = records(unit.spec, self._stage.origin)[index].market_id
        market = self._stage.directory.change(market_id, tick_size=Price(FINE_TICK))
        value = json.dumps({"old": format_micros(unit.spec.tick), "new": format_micros(FINE_TICK)})
        self._stage.tape.lifecycle(market, "tick_size", value)

    def _change_fee(self, now: int) -> int:
        """Date a new fee schedule for a lone market, as venues do now and then."""
        rng, units = self._fees, self._stage.units
        unit = units[rng.randrange(len(units))]
        if unit.spec.kind == "binary" and not unit.closed:
            market_id = records(unit.spec, self._stage.origin)[0].market_id
            market = self._stage.directory.change(market_id)
            fee = replace(market.fee, rate=rng.randrange(1, 8) * 10_000, since=now)
            market = self._stage.directory.change(market_id, fee=fee)
            self._stage.tape.lifecycle(market, "fee", json.dumps({"rate": format_micros(fee.rate)}))
        return now + rng.randrange(30, 90) * SECOND


def _payouts(spec: UnitSpec, index: int, winner: int) -> tuple[Price, ...]:
    """Return what the outcomes of market ``index`` of the unit pay; exactly one dollar in all."""
    if spec.void:
        return (_HALF,) * 2
    if spec.kind == "multi":
        return tuple(Price(MICROS if i == winner else 0) for i in range(len(spec.fairs)))
    wins = index == winner
    return (Price(MICROS if wins else 0), Price(0 if wins else MICROS))
