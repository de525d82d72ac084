"""Read a catalog with NautilusTrader itself, of either version, and print what it holds as JSON.

``FOLDER/bin/python nautilus_reader.py CATALOG`` in an environment of its own: the library is no dependency of the
suite,
and its two versions exclude each other. Nothing else of the repository is imported.

``instruments``: their ids. ``books``: by time of receipt (ns UTC) the bids and asks after it, best first, micros,
folded by the library's own book. ``trades``: price, size, side, time.
"""

import json
import sys
from decimal import Decimal
from typing import Any


def main() -> None:
    """Print what the catalog in the first argument holds."""
    instruments, deltas, trades, book = _read(sys.argv[1])
    books = {}
    for change in deltas:
        book.apply_delta(change)
        books[str(int(change.ts_init))] = [_side(book.bids()), _side(book.asks())]
    prints = [
        [_micros(each.price), _micros(each.size), str(each.aggressor_side).rpartition(".")[2], int(each.ts_init)]
        for each in trades
    ]
    sys.stdout.write(
        json.dumps({"instruments": [str(each.id) for each in instruments], "books": books, "trades": prints})
    )


def _read(folder: str) -> tuple[Any, Any, Any, Any]:
    import nautilus_trader

    if nautilus_trader.__version__.startswith("1."):
        from nautilus_trader.model.book import OrderBook
        from nautilus_trader.model.data import OrderBookDelta, TradeTick
        from nautilus_trader.model.enums import BookType
        from nautilus_trader.persistence.catalog import ParquetDataCatalog

        catalog = ParquetDataCatalog(folder)
        deltas, trades = catalog.query(OrderBookDelta), catalog.query(TradeTick)
    else:
        from nautilus_trader.model import BookType, OrderBook
        from nautilus_trader.persistence import ParquetDataCatalog

        catalog = ParquetDataCatalog(folder)
        deltas, trades = catalog.query_order_book_deltas(), catalog.query_trade_ticks()
    instruments = catalog.instruments()
    return instruments, deltas, trades, OrderBook(instruments[0].id, BookType.L2_MBP)


def _side(levels: Any) -> list[list[int]]:
    return [[_micros(each.price), round(_size(each) * 10**6)] for each in levels]


def _size(level: Any) -> float:
    return float(level.size())


def _micros(value: Any) -> int:
    return int(Decimal(str(value).replace("_", "")) * 10**6)


if __name__ == "__main__":
    main()
