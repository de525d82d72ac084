from predsurv.core.num import MICROS
from predsurv.exchange.exchange import Exchange
from predsurv.exchange.tape import TapeLifecycle, TapeSettlement
from predsurv.simulate.polymarket.catalog import SimulatedCatalog, SimulatedMarket, paid

S = 1_000_000_000


def test_every_book_of_the_exchange_is_one_yes_or_no_market() -> None:
    exchange = Exchange(7, 120, 100)
    listing = SimulatedCatalog(exchange)
    assert sorted(row.book for row in listing.rows) == list(range(sum(len(unit.books) for unit in exchange.groups)))
    many = [market for market in exchange.markets() if len(market.outcomes) > 2]
    assert many
    for market in many:
        rows = listing.of(market)
        assert [row.label for row in rows] == [outcome.label for outcome in market.outcomes]
        assert all(row.neg_risk and row.outcomes == ("Yes", "No") for row in rows)
        assert len({row.group.number for row in rows}) == 1


def test_every_name_leads_back() -> None:
    listing = SimulatedCatalog(Exchange(7, 60, 100))
    for row in listing.rows:
        assert listing.condition(row.condition) is row
        assert [listing.token(token) for token in row.tokens] == [(row, 0), (row, 1)]
        assert listing.book(row.book) is row
        assert listing.number(str(row.number)) is row
        assert listing.group(str(row.group.number)) is row.group
    for name in ("", "0", "x", "٣", "9" * 30, "-1"):
        found = [listing.number(name), listing.group(name), listing.token(name), listing.condition(name)]
        assert found == [None] * 4


def test_listing_twice_changes_nothing() -> None:
    exchange = Exchange(7, 10, 100)
    listing = SimulatedCatalog(exchange)
    count = len(listing.rows)
    assert all(listing.add(market) == [] for market in exchange.markets())
    assert len(listing.rows) == count


def test_what_the_exchange_pays_is_what_the_tokens_pay() -> None:
    exchange = Exchange(7, 120, 100)
    listing = SimulatedCatalog(exchange)
    settled: list[SimulatedMarket] = []
    for event in exchange.advance(exchange.origin + 30 * S):
        if isinstance(event, TapeLifecycle) and event.kind == "created":
            listing.add(event.market)
        if isinstance(event, TapeSettlement):
            settled += listing.settle(event)
    assert {row.void for row in settled} == {True, False}
    assert any(len(row.key.market_id) and row.label for row in settled)
    for row in settled:
        assert row.over
        assert sum(paid(row)) == MICROS
        assert row.void == (set(paid(row)) == {MICROS // 2})
    groups = {row.group.number: row.group for row in settled if row.neg_risk}
    for group in groups.values():
        assert sum(row.payout or 0 for row in group.members) == MICROS  # exactly one of them pays
