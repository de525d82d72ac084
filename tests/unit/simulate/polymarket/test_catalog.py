from predsurv.core.num import MICROS
from predsurv.exchange.exchange import Exchange
from predsurv.exchange.tape import TapeLifecycle, TapeSettlement
from predsurv.simulate.polymarket.catalog import SimulatedCatalog, SimulatedMarket, payouts
from predsurv.venues.polymarket.orders.exchanges import is_position_id

S = 1_000_000_000


def test_every_book_of_the_exchange_is_one_binary_market() -> None:
    exchange = Exchange(7, 120, 100)
    catalog = SimulatedCatalog(exchange)
    assert sorted(row.book for row in catalog.rows) == list(range(sum(len(group.books) for group in exchange.groups)))
    many = [market for market in exchange.markets() if len(market.outcomes) > 2]
    assert many
    for market in many:
        rows = catalog.update(market)
        assert [row.label for row in rows] == [outcome.label for outcome in market.outcomes]
        assert all(row.neg_risk and row.outcomes == ("Yes", "No") for row in rows)
        assert len({row.event.number for row in rows}) == 1


def test_every_id_leads_back_to_its_market() -> None:
    catalog = SimulatedCatalog(Exchange(7, 60, 100))
    for row in catalog.rows:
        assert catalog.by_condition(row.condition) is row
        assert [catalog.by_token(token) for token in row.tokens] == [(row, 0), (row, 1)]
        assert catalog.by_book(row.book) is row
        assert catalog.by_number(str(row.number)) is row
        assert catalog.event_by_number(str(row.event.number)) is row.event
    for name in ("", "0", "x", "٣", "9" * 30, "-1"):
        found = [
            catalog.by_number(name),
            catalog.event_by_number(name),
            catalog.by_token(name),
            catalog.by_condition(name),
        ]
        assert found == [None] * 4


def test_some_markets_trade_position_ids() -> None:
    rows = SimulatedCatalog(Exchange(7, 60, 100), v2_every=3).rows
    assert {row.version for row in rows} == {"v1", "v2"}
    assert all((row.number % 3 == 0) == (row.version == "v2") for row in rows)
    for row in rows:
        assert all(is_position_id(int(token)) == (row.version == "v2") for token in row.tokens)
    tokens = [token for row in rows for token in row.tokens]
    assert len(set(tokens)) == len(tokens)


def test_listing_a_market_twice_changes_nothing() -> None:
    exchange = Exchange(7, 10, 100)
    catalog = SimulatedCatalog(exchange)
    count = len(catalog.rows)
    assert all(catalog.add(market) == [] for market in exchange.markets())
    assert len(catalog.rows) == count


def test_what_the_exchange_pays_is_what_the_tokens_pay() -> None:
    exchange = Exchange(7, 120, 100)
    catalog = SimulatedCatalog(exchange)
    settled: list[SimulatedMarket] = []
    for event in exchange.advance(exchange.origin + 30 * S):
        if isinstance(event, TapeLifecycle) and event.kind == "created":
            catalog.add(event.market)
        if isinstance(event, TapeSettlement):
            settled += catalog.settle(event)
    assert {row.void for row in settled} == {True, False}
    assert any(len(row.key.market_id) and row.label for row in settled)
    for row in settled:
        assert row.is_settled
        assert sum(payouts(row)) == MICROS
        assert row.void == (set(payouts(row)) == {MICROS // 2})
    events = {row.event.number: row.event for row in settled if row.neg_risk}
    for event_row in events.values():
        assert sum(row.payout or 0 for row in event_row.markets) == MICROS  # exactly one of them pays
