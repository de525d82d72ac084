"""Live trading on the simulated Polymarket, from a strategy's intent to the venue's account and back."""

from pathlib import Path

import pytest

from predsurv.core.events import Event, Fill, FillConfirmed
from predsurv.trade.session import TradingSession
from tests.kit.live_runs import LiveWorld, OneBuyer, live_world


def has(events: list[Event], kind: type) -> bool:
    return any(isinstance(each, kind) for each in events)


async def equals_the_venues(world: LiveWorld, session: TradingSession) -> bool:
    """Whether orders, shares and cash are those of the venue, to the micro-dollar."""
    account = session.engine.account
    ours = {each.key: each.size for each in account.portfolio.positions.totals()}
    there = await world.at_venue(ours)
    assert not there.orders
    assert not account.orders.live()
    assert {each.key: each.size for each in there.positions} == ours
    (venue,) = account.portfolio.venues()
    assert account.portfolio.cash(venue) == there.cash
    return True


@pytest.mark.parametrize("v2_every", [0, 1], ids=["exchange V2", "exchange V3"])
async def test_a_strategys_order_becomes_a_position_that_the_venue_has_too(
    v2_every: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with live_world(tmp_path, v2_every=v2_every) as world:
        buyer = OneBuyer()
        session = await world.trade(buyer, monkeypatch, lambda _: has(buyer.heard, FillConfirmed))
        kinds = [type(each) for each in buyer.heard]
        assert kinds.index(Fill) < kinds.index(FillConfirmed)
        assert session.engine.account.portfolio.positions.totals()
        assert await equals_the_venues(world, session)
        # The next run finds all of it in its journal, and the venue agrees.
        again = OneBuyer(count=0)
        later = await world.trade(again, monkeypatch, lambda each: each.stats.events > 0)
        assert later.engine.account.portfolio.positions.totals() == session.engine.account.portfolio.positions.totals()
        assert await equals_the_venues(world, later)
