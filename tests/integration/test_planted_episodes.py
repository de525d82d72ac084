"""Episodes that are found in what the made-up exchange tells are those that it made."""

from collections import defaultdict
from typing import Final

import pytest

from predsurv.core.ids import VenueName
from predsurv.exchange.exchange import ORIGIN, Exchange
from predsurv.exchange.world import market_records
from predsurv.mine.episodes.episode import Episode
from predsurv.mine.episodes.watch import EpisodeWatch
from predsurv.state.market_cache import MarketCache
from predsurv.strategies.claims import ClaimGroups
from predsurv.venues.mock.delivery import FaultyDelivery

STEP: Final = 10_000_000
"""The feed tells what happened in steps of this (ns): so exactly is known when something began."""

SECONDS: Final = 40
Made = dict[str, list[tuple[int, int]]]


def play(seed: int) -> tuple[list[Episode], Made, int]:
    """The episodes found in a world, and by event when its books were mispriced (ns UTC); the time it ended."""
    exchange, venue = Exchange(seed, 60, 300), VenueName("mock")
    delivery, cache = FaultyDelivery(exchange, ()), MarketCache({venue})
    for market in exchange.markets():
        cache.add(market)
    watch, since = EpisodeWatch(cache, ClaimGroups()), dict[str, int]()
    made = defaultdict[str, list[tuple[int, int]]](list)
    delivery.watch(frozenset(key for market in exchange.markets() for key in market.primary_keys(mirrored=True)))
    until = exchange.now + SECONDS * 1_000_000_000
    while exchange.now < until:
        tape = exchange.advance(exchange.now + STEP)
        for event in delivery.deliver(exchange.now, tape, 0, 10_000):
            watch.apply(event)
        for group in exchange.groups:
            name = str(market_records(group.spec, ORIGIN)[0].event_id)
            if group.is_mispriced:
                since.setdefault(name, exchange.now)
            elif name in since:
                made[name].append((since.pop(name), exchange.now))
    watch.finish(until)
    return watch.ended, made, until


@pytest.mark.parametrize("seed", [1, 2])
def test_what_the_exchange_misprices_is_found_where_it_was_and_nothing_else(seed: int) -> None:
    episodes, made, ended = play(seed)
    found = sorted((each.name, each.start, each.end) for each in episodes if each.end < ended)
    truth = sorted((name, start, end) for name, times in made.items() for start, end in times)
    assert [name for name, *_ in found] == [name for name, *_ in truth]
    assert len(truth) > 5
    for (_, start, end), (_, began, over) in zip(found, truth, strict=True):
        assert abs(start - began) <= STEP
        assert abs(end - over) <= STEP
    assert all(each.whole and each.peak.profit > 0 for each in episodes if each.end < ended)
