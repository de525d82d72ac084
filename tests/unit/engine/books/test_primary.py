"""Which book an instrument trades in."""

from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.market import Outcome
from predsurv.engine.books.primary import PrimaryBooks
from predsurv.state.market_cache import MarketCache
from tests.kit.trading_samples import NO, YES, V, market

THREE = market("t", outcomes=tuple(Outcome(InstrumentId(name), name) for name in "abc"))


def cache() -> MarketCache:
    made = MarketCache()
    made.add(market())
    made.add(THREE)
    return made


def test_the_second_outcome_trades_in_the_first_ones_book() -> None:
    mirror = PrimaryBooks(cache(), {V})
    assert mirror.primary(NO) == mirror.primary(NO) == YES
    assert mirror.primary(YES) == YES


def test_markets_of_many_outcomes_and_other_venues_keep_their_books() -> None:
    assert PrimaryBooks(cache(), {V}).primary(THREE.key(1)) == THREE.key(1)
    assert PrimaryBooks(cache(), {VenueName("else")}).primary(NO) == NO


def test_an_unknown_market_is_not_remembered_as_its_own() -> None:
    made = MarketCache()
    mirror = PrimaryBooks(made, {V})
    stranger = InstrumentKey(V, MarketId("m"), NO.instrument_id)
    assert mirror.primary(stranger) == stranger
    made.add(market())
    assert mirror.primary(stranger) == YES
