"""The directory finds instruments and shows a mirrored book as its complement."""

import pytest
from msgspec.structs import replace

from predsurv.core.ids import InstrumentId
from predsurv.core.num import Price
from predsurv.exchange.book import MatchingBook
from predsurv.exchange.directory import MarketDirectory
from predsurv.exchange.tape import Tape
from predsurv.exchange.world import build_groups, market_records

MARKET = market_records(build_groups(7, 1)[0], 0)[0]


def make() -> tuple[MarketDirectory, MatchingBook]:
    directory, book = MarketDirectory(), MatchingBook(4, 10_000, Tape(0))
    directory.add(MARKET, (book,))
    return directory, book


def test_the_second_outcome_mirrors_the_first() -> None:
    directory, book = make()
    book.place("bid", Price(300_000), 7)
    book.place("ask", Price(320_000), 9)
    yes, no = directory.book(MARKET.key(0), 1), directory.book(MARKET.key(1), 1)
    assert (yes.bids, yes.asks) == (((300_000, 7),), ((320_000, 9),))
    assert (no.bids, no.asks) == (((680_000, 9),), ((700_000, 7),))
    assert directory.locate(MARKET.key(0)) == (4, False)
    assert directory.locate(MARKET.key(1)) == (4, True)


def test_an_unknown_instrument_has_no_book() -> None:
    directory, _ = make()
    unknown = replace(MARKET.key(0), instrument_id=InstrumentId("?"))
    assert directory.locate(unknown) is None
    assert directory.listing(unknown) is None
    with pytest.raises(KeyError):
        directory.book(unknown, 1)


def test_a_markets_volume_grows_with_trades() -> None:
    directory, book = make()
    book.place("ask", Price(500_000), 10_000_000)
    book.take("bid", 500_000, 10_000_000)
    assert (directory.market(MARKET.market_id).volume or 0) - (MARKET.volume or 0) == 5_000_000


def test_an_update_replaces_the_markets_record() -> None:
    directory, _ = make()
    directory.update(MARKET.market_id, status="closed")
    assert [market.status for market in directory.markets()] == ["closed"]
