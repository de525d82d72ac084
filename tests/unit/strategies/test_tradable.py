"""Whether a market can be traded now, and whether it ever will be again."""

from msgspec.structs import replace

from predsurv.core.events import VenuePhase
from predsurv.core.ids import VenueName
from predsurv.strategies.tradable import has_ended, is_tradable
from tests.kit.manual_view import ManualView
from tests.kit.trading_samples import START, S, V, market

KALSHI = VenueName("kalshi")


def test_a_market_trades_while_it_and_its_venue_are_open() -> None:
    view = ManualView()
    assert is_tradable(market(), view)
    assert not is_tradable(market(status="paused"), view)
    assert not is_tradable(market(market_type="scalar"), view)
    view.cache.apply(VenuePhase(V, START, None, "cancel_only", "{}"))
    assert not is_tradable(market(), view)
    assert is_tradable(market(venue=KALSHI), view)


def test_a_market_has_ended_by_status_or_by_timetable() -> None:
    view = ManualView()
    assert [has_ended(market(status=each), view) for each in ("active", "paused", "closed", "void")] == [
        False,
        False,
        True,
        True,
    ]
    timed = market(venue=KALSHI, close_time=START + S)
    assert not has_ended(timed, view)
    view.time = START + S
    assert has_ended(timed, view)
    assert not is_tradable(timed, view)
    assert not has_ended(replace(timed, venue=V), view)
