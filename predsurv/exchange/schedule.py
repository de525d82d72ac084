"""The scheduled events of the markets: listings, news, closings, settlements, changes of fees and ticks.

Each kind of event draws from a random stream of its own, and the exchange calls it at its time.
"""

import json
import random
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from msgspec.structs import replace

from predsurv.core.ids import Side
from predsurv.core.market import Market
from predsurv.core.num import MICROS, Price, format_micros
from predsurv.exchange.directory import MarketDirectory
from predsurv.exchange.market_group import FINE_TICK, MarketGroup
from predsurv.exchange.mispricing import Mispricing, basket_edge, begin_mispricing, end_mispricing
from predsurv.exchange.tape import Tape
from predsurv.exchange.world import SECOND, GroupShape, GroupSpec, draft_group, market_records, random_stream

_SETTLES_AFTER: Final = SECOND * 8 // 10
_LISTING_RANK: Final = 14
_FIRST_LISTING: Final = 4 * SECOND
_FIRST_NEWS: Final = 28 * SECOND
_FEE_CHANGE: Final = 40 * SECOND
LISTED_EVERY: Final = (8, 14)
"""Seconds between two listings, from and below."""
_NEWS_TRIES: Final = 8
_HALF: Final = Price(MICROS // 2)


TimedAction = Callable[[int], int | None]
"""Called with its time (ns UTC); returns when it is to be called next, None for never."""


class ScheduledExchange(Protocol):
    """The part of the exchange that its scheduled events use."""

    seed: int
    origin: int
    groups: list[MarketGroup]
    mispricings: list[Mispricing]
    directory: MarketDirectory
    tape: Tape

    def add_group(self, spec: GroupSpec) -> MarketGroup: ...
    def settle(self, market: Market, payouts: tuple[Price, ...], *, void: bool) -> None: ...
    def schedule(self, at: int, action: TimedAction) -> None: ...


class EventSchedule:
    """The scheduled events of one exchange; times in ns UTC. Lists nothing once ``groups_max`` is reached."""

    def __init__(self, exchange: ScheduledExchange, listed: int, groups_max: int) -> None:
        self._exchange = exchange
        self._next_group = listed
        self._groups_max = groups_max
        self._listing_rng: random.Random = random_stream(exchange.seed, "listing")
        self._news_rng: random.Random = random_stream(exchange.seed, "news")
        self._fee_rng: random.Random = random_stream(exchange.seed, "fees")

    def start(self) -> None:
        """Schedule the recurring events: listings, news, fee changes."""
        origin = self._exchange.origin
        self._exchange.schedule(origin + _FIRST_LISTING, self._list)
        self._exchange.schedule(origin + _FIRST_NEWS, self._break_news)
        self._exchange.schedule(origin + _FEE_CHANGE, self._change_fee)

    def add(self, group: MarketGroup) -> None:
        """Schedule the planned mispricing of a group, and its closing."""
        exchange, spec = self._exchange, group.spec
        exchange.schedule(exchange.origin + spec.closes_at, partial(self._close, group))
        if spec.mispricing is not None:
            planned = spec.mispricing
            action = partial(self._misprice, group, planned.side, planned.edge, planned.duration)
            exchange.schedule(exchange.origin + planned.at, action)

    def refine_tick(self, group: MarketGroup, index: int) -> None:
        """Give book ``index`` of ``group`` the fine tick."""
        group.books[index].tick = FINE_TICK
        market_id = market_records(group.spec, self._exchange.origin)[index].market_id
        market = self._exchange.directory.update(market_id, tick_size=Price(FINE_TICK))
        value = json.dumps({"old": format_micros(group.spec.tick), "new": format_micros(FINE_TICK)})
        self._exchange.tape.add_lifecycle(market, "tick_size", value)

    def _list(self, now: int) -> int | None:
        exchange, rng = self._exchange, self._listing_rng
        shape = GroupShape("event", 3) if rng.randrange(5) == 0 else GroupShape("binary", 2)
        spec = draft_group(exchange.seed, self._next_group, shape, _LISTING_RANK)
        lasts = rng.randrange(25, 240) * SECOND if rng.randrange(3) else spec.closes_at
        spec = replace(spec, closes_at=now - exchange.origin + lasts)
        self._next_group += 1
        self.add(exchange.add_group(spec))
        for market in market_records(spec, exchange.origin):
            exchange.tape.add_lifecycle(market, "created", json.dumps({"question": market.question}))
            exchange.tape.add_lifecycle(market, "activated", json.dumps({"status": "active"}))
        if self._next_group >= self._groups_max:
            return None
        return now + rng.randrange(*LISTED_EVERY) * SECOND + rng.randrange(SECOND)

    def _break_news(self, now: int) -> int:
        rng, groups = self._news_rng, self._exchange.groups
        for _ in range(_NEWS_TRIES):
            group = groups[rng.randrange(len(groups))]
            duration = rng.randrange(3, 7) * SECOND
            if not self._can_misprice(group, now + 2 * duration):
                continue
            side: Side = "bid" if group.spec.kind == "event" and rng.randrange(3) == 0 else "ask"
            self._misprice(group, side, rng.randrange(10, 30) * 1_000, duration, now)
            break
        return now + rng.randrange(7, 14) * SECOND + rng.randrange(SECOND)

    def _can_misprice(self, group: MarketGroup, until: int) -> bool:
        spec = group.spec
        if spec.kind == "binary" or spec.shares < 60 or not group.interval or group.is_mispriced or group.is_closed:
            return False
        return self._exchange.origin + spec.closes_at > until

    def _misprice(self, group: MarketGroup, side: Side, edge: int, duration: int, now: int) -> None:
        exchange = self._exchange
        fee = market_records(group.spec, exchange.origin)[0].fee
        stale_book = begin_mispricing(group, fee, side, edge)
        if stale_book is None:
            return
        exchange.schedule(now + duration, partial(self._correct, group, stale_book))
        found = basket_edge(group, fee, side)
        if found is not None:
            exchange.mispricings.append(Mispricing(now, now + duration, group.spec.index, side, *found))

    def _correct(self, group: MarketGroup, stale_book: int, now: int) -> None:  # noqa: ARG002
        if not group.is_closed:
            end_mispricing(group, stale_book)

    def _close(self, group: MarketGroup, now: int) -> None:
        exchange = self._exchange
        group.close()
        for market in market_records(group.spec, exchange.origin):
            closed = exchange.directory.update(market.market_id, status="closed", tradable=False)
            exchange.tape.add_lifecycle(closed, "closed", json.dumps({"status": "closed"}))
        exchange.schedule(now + _SETTLES_AFTER, partial(self._settle, group))

    def _settle(self, group: MarketGroup, now: int) -> None:  # noqa: ARG002
        exchange, spec = self._exchange, group.spec
        winner = group.draw_winner()
        for index, market in enumerate(market_records(spec, exchange.origin)):
            payouts = _payouts(spec, index, winner)
            settled = exchange.directory.update(market.market_id, status="void" if spec.void else "resolved")
            exchange.settle(settled, payouts, void=spec.void)

    def _change_fee(self, now: int) -> int:
        """Give one binary market a new fee schedule as of ``now``, as venues do from time to time."""
        rng, groups = self._fee_rng, self._exchange.groups
        group = groups[rng.randrange(len(groups))]
        if group.spec.kind == "binary" and not group.is_closed:
            market_id = market_records(group.spec, self._exchange.origin)[0].market_id
            market = self._exchange.directory.update(market_id)
            fee = replace(market.fee, rate=rng.randrange(1, 8) * 10_000, since=now)
            market = self._exchange.directory.update(market_id, fee=fee)
            self._exchange.tape.add_lifecycle(market, "fee", json.dumps({"rate": format_micros(fee.rate)}))
        return now + rng.randrange(30, 90) * SECOND


def _payouts(spec: GroupSpec, index: int, winner: int) -> tuple[Price, ...]:
    """Return the payouts of the outcomes of market ``index`` of a group, micros; they add up to one dollar."""
    if spec.void:
        return (_HALF,) * 2
    if spec.kind == "multi":
        return tuple(Price(MICROS if i == winner else 0) for i in range(len(spec.fair_values)))
    wins = index == winner
    return (Price(MICROS if wins else 0), Price(0 if wins else MICROS))
