"""A search for what a stated hash covers besides the levels, a part at a time.

It keeps the state that it began with, so that a book which goes on changing is searched whole all the same.
"""

from hashlib import sha1
from itertools import chain, islice, product, repeat
from typing import Final

from predsurv.core.num import MICROS, parse_micros
from predsurv.venues.polymarket.book_hash import HashedBook, HashInputs, tail_of, tick_sizes_of
from predsurv.venues.polymarket.hash_states import PROVEN
from predsurv.venues.polymarket.last_trade_texts import LastTradeTexts

_PRICELESS: Final = (0, MICROS)


class HashSearch:
    """Tries every last trade price and the previous tick size on the present state of ``book``.

    ``tried``: texts tried by the last call of ``run``; ``exhausted``: whether none is left.
    """

    def __init__(self, book: HashedBook, texts: LastTradeTexts) -> None:
        self.tried = 0
        self.exhausted = False
        try:
            self._stated = bytes.fromhex(book.hash)
        except ValueError:
            self._stated = b""
        ticks = tick_sizes_of(book)
        levels, starts = sha1(book.head(), usedforsecurity=False), []
        for tick, risk in product(ticks, (book.inputs.neg_risk,) if book.state in PROVEN else (False, True)):
            inputs = book.inputs._replace(tick_size=tick, neg_risk=risk)
            start = levels.copy()
            start.update(tail_of(inputs))
            starts.append((start, inputs))
        self._tries = chain.from_iterable(
            zip(repeat(start), repeat(inputs), ends)
            for ends in texts.search_order(ticks, _best_prices(book))
            for start, inputs in starts
        )

    def run(self, tries: int) -> HashInputs | None:
        """Try so many more; return what gives the stated hash."""
        stated, count = self._stated, 0
        for start, inputs, end in islice(self._tries, tries):
            count += 1
            tried = start.copy()
            tried.update(end)
            if tried.digest() == stated:
                self.tried = count
                return inputs._replace(last_trade=end[:-2].decode())
        self.tried, self.exhausted = count, count < tries
        return None


def _best_prices(book: HashedBook) -> tuple[int, int]:
    """Return the best prices in micros; those of an empty book where a text is no price."""
    try:
        return parse_micros(max(book.bids.levels, default="0")), parse_micros(min(book.asks.levels, default="1"))
    except ValueError:
        return _PRICELESS
