"""Books of settled markets as somebody else received them: all replayed, traded at prices they had, paid as they paid.

The package with the books is not installed by default; ``make test-real-books`` does, and says where it is.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest

from predsurv.core.events import BookSnapshot, Fill
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import MICROS
from predsurv.store.layout import NS_DAY
from predsurv.strategies.simple import Simple
from tests.kit.backtests import MIDNIGHT, Backtest, RecordedVenue, backtest
from tests.kit.resolved_books import FIRST_DAY, POLYMARKET, write_recording

PACKAGE = os.environ.get("PREDSURV_REAL_BOOKS")
pytestmark = pytest.mark.skipif(PACKAGE is None, reason="no real books: make test-real-books")

Books = Mapping[InstrumentKey, Sequence[BookSnapshot]]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Backtest:
    folder = tmp_path_factory.mktemp("real")
    assert len(write_recording(Path(PACKAGE or ""), folder)) == 18
    return backtest(folder, (FIRST_DAY - MIDNIGHT) // NS_DAY, 1, RecordedVenue(POLYMARKET), Simple())


def shown(done: Backtest) -> Books:
    books = defaultdict[InstrumentKey, list[BookSnapshot]](list)
    for event in done.seen.events:
        if isinstance(event, BookSnapshot):
            books[event.key].append(event)
    return books


def test_every_book_is_replayed(done: Backtest) -> None:
    books = shown(done)
    assert len(books) == 18
    assert sum(map(len, books.values())) > 19_000


def latest(books: Iterable[BookSnapshot], until: int) -> BookSnapshot:
    return [each for each in books if each.ts_recv <= until][-1]


def test_what_was_taken_was_there(done: Backtest) -> None:
    books = shown(done)
    taken = [each for each in done.seen.fills if not each.maker]
    assert taken
    for fill in taken:
        book = latest(books[fill.key], fill.ts_recv)
        assert fill.price in dict(book.asks if fill.side == "buy" else book.bids)


def through(fill: Fill, book: BookSnapshot) -> bool:
    """Whether the other side has come to the fill's price or past it."""
    if fill.side == "buy":
        return bool(book.asks) and book.asks[0][0] <= fill.price
    return bool(book.bids) and book.bids[0][0] >= fill.price


def test_a_resting_order_fills_only_where_the_other_side_reaches_its_price(done: Backtest) -> None:
    """Nobody told of public trades, so nothing else proves that somebody traded there."""
    books = shown(done)
    rested = [each for each in done.seen.fills if each.maker]
    assert rested
    assert all(through(fill, latest(books[fill.key], fill.ts_recv)) for fill in rested)


def test_the_account_adds_up_after_every_market_has_paid(done: Backtest) -> None:
    account = done.session.engine.account
    assert account.portfolio.positions.totals() == ()
    (pnl,) = account.portfolio.pnl.values()
    start = 10_000 * MICROS
    assert account.portfolio.cash(POLYMARKET) == start + pnl.realised - pnl.fees
    assert sum(each.fee for each in done.seen.fills) == pnl.fees
