"""Both simulators list the same markets of one exchange: the mapping finds each of them and takes none for another.

Their rules name nobody who settles, so that nothing may be accepted unseen; a person would be shown the right pair.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from predsurv.config import Config, PolymarketConfig, VenuesConfig
from predsurv.core.market import Market
from predsurv.mapping.blocking import candidate_pairs
from predsurv.mapping.listings import listing_of
from predsurv.mapping.matching import match, word_weights
from predsurv.mapping.scoring import ScoredPair
from predsurv.mapping.terms import read_terms
from predsurv.ports import MarketQuery
from predsurv.simulate.polymarket.simulator import PolymarketSimulator, PolymarketSimulatorSettings
from predsurv.venues.kalshi.venue import KalshiVenue
from predsurv.venues.polymarket.venue import PolymarketVenue
from tests.kit.given_clock import GivenClock
from tests.kit.simulated_kalshi import SimulatedKalshi

MARKETS = 250


class Planted:
    """The markets of both simulators over exchanges of one seed, and which of them are one."""

    def __init__(self, kalshi: SimulatedKalshi, polymarket: PolymarketSimulator, clock: GivenClock) -> None:
        self._kalshi, self._polymarket, self._clock = kalshi, polymarket, clock

    async def queue(self) -> tuple[list[ScoredPair], set[tuple[str, str]]]:
        """Return the queue of both lists, and the pairs that are one market of the exchange."""
        config = Config(
            venues=VenuesConfig(
                polymarket=PolymarketConfig(gamma_url=self._polymarket.gamma_url, clob_url=self._polymarket.clob_url)
            )
        )
        lists = [await listed(self._kalshi.venue())]
        lists.append(await listed(PolymarketVenue(config, self._clock, lambda: 1.0)))
        first, second = ({str(each.market_id): read_terms(listing_of(each)) for each in markets} for markets in lists)
        pairs = candidate_pairs(first.values(), list(second.values()))
        weights = word_weights([*first.values(), *second.values()])
        return match(pairs, first, second, weights), {
            (each.market_id, other.market_id)
            for each in lists[0]
            for other in lists[1]
            if self._origins[each.market_id] == self._origins[other.market_id]
        }

    @property
    def _origins(self) -> dict[str, tuple[str, str]]:
        found = {
            ticker: (str(each.market.market_id), str(each.outcome.instrument_id))
            for ticker, each in self._kalshi.server.markets.listed.items()
        }
        rows = self._polymarket.catalog.rows
        return found | {row.condition: (str(row.key.market_id), str(row.key.instrument_id)) for row in rows}


async def listed(venue: KalshiVenue | PolymarketVenue) -> list[Market]:
    try:
        return [market async for market in venue.catalog().markets(MarketQuery())]
    finally:
        await venue.aclose()


@pytest.fixture
async def planted(tmp_path: Path) -> AsyncIterator[Planted]:
    clock = GivenClock()
    kalshi = SimulatedKalshi(tmp_path, markets=MARKETS, clock=clock)
    polymarket = PolymarketSimulator(PolymarketSimulatorSettings(markets=MARKETS, rate=100, seed=7), clock)
    await kalshi.server.start()
    await polymarket.start()
    yield Planted(kalshi, polymarket, clock)
    await polymarket.aclose()
    await kalshi.aclose()


async def test_every_planted_duplicate_is_found_and_no_near_miss_accepted(planted: Planted) -> None:
    queue, same = await planted.queue()
    assert len(same) >= MARKETS
    found = {(each.first, each.second): each for each in queue}
    assert same <= found.keys()
    assert {found[pair].comparison.relation for pair in same} == {"related"}
    assert all(found[pair].rank <= 3 for pair in same)
    assert sum(found[pair].rank == 1 for pair in same) >= 0.9 * len(same)
    assert not [each for each in queue if each.comparison.relation in ("same", "inverse")]
