"""Markets that are born while paper trading runs, over the venue's own protocol, are watched with their books."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from predsurv.core.events import Event, MarketEvent
from predsurv.core.ids import VenueName
from predsurv.engine.step import Step
from predsurv.trade.assembly import open_paper
from predsurv.trade.runner import TradeRunner
from tests.kit.patience import until
from tests.kit.served_venues import Simulated, kalshi, polymarket, scanned


class Nobody:
    """Observes nothing."""

    def on_turn(self) -> None:
        pass

    def on_batch(self, venue: VenueName, batch: Sequence[MarketEvent]) -> None:
        pass

    def on_step(self, event: Event, step: Step) -> None:
        pass


@pytest.mark.parametrize("simulated", [kalshi, polymarket], ids=["kalshi", "polymarket"])
async def test_a_market_born_while_trading_is_watched_with_its_book(simulated: Simulated, tmp_path: Path) -> None:
    async with simulated(tmp_path) as served:
        config = replace(served.config, data_location=tmp_path / "data")
        await scanned(config, served.venue, served.clock)
        session = open_paper(config, [served.venue], served.clock, lambda _: Nobody())
        assert isinstance(session.runner, TradeRunner)
        (watchlist,) = session.runner._watchlists.values()
        before, cache = watchlist.keys, session.engine.cache

        def newcomer_has_a_book() -> bool:
            return any(cache.trusted_book(key) is not None for key in watchlist.keys - before)

        running = asyncio.create_task(session.runner.run())
        await until(lambda: newcomer_has_a_book() or running.done())
        assert newcomer_has_a_book()
        session.runner.stop()
        await running
        session.close()
