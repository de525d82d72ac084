"""NautilusTrader's backtest engine over the columns of ``benchmarks.peer_data``, with a strategy that only looks.

``python nautilus_engine.py FOLDER``, in an environment with ``nautilus_trader`` 1.231, or 2 from 2.0.0rc3 on. Writes
``answer.json`` there: CPU seconds of ``BacktestEngine.run`` alone (making its objects is not counted, which favours
it), calls of the strategy, and the last best prices of each instrument in micros.
"""

import json
import sys
import time
from array import array
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import nautilus_trader
from nautilus_trader import model
from nautilus_trader.trading import Strategy

IS_TWO = nautilus_trader.__version__.startswith("2.")
if IS_TWO:
    from nautilus_trader.backtest import BacktestEngine, BacktestEngineConfig
    from nautilus_trader.execution import MakerTakerFeeModel
    from nautilus_trader.model import AccountType, AssetClass, BookAction, BookType, OmsType, OrderSide
else:
    from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
    from nautilus_trader.config import LoggingConfig
    from nautilus_trader.model.enums import AccountType, AssetClass, BookAction, BookType, OmsType, OrderSide

CLEAR, LEVEL, TRADE = range(3)
LAST_OF_EVENT = 128  # F_LAST of nautilus_trader's record flags
VENUE = "BENCH"


class Look(Strategy):
    """Looks at the best prices of the book at each change."""

    def prepare(self, ids: list[Any]) -> None:
        """Set what it follows."""
        self.ids = ids
        self.seen = 0
        self.tops: dict[Any, Any] = {}

    def on_start(self) -> None:
        """Subscribe to every book, kept by the engine."""
        for each in self.ids:
            if IS_TWO:
                self.subscribe_book_deltas(each, BookType.L2_MBP, managed=True)
            else:
                self.subscribe_order_book_deltas(each, BookType.L2_MBP)

    def on_order_book_deltas(self, deltas: Any) -> None:
        """Look."""
        book = self.cache.order_book(deltas.instrument_id)
        self.seen += 1
        self.tops[deltas.instrument_id] = (book.best_bid_price(), book.best_ask_price())

    on_book_deltas = on_order_book_deltas


def columns(folder: Path) -> dict[str, array[int]]:
    """Return the columns by name."""
    kinds = {"ts": "q", "instrument": "i", "kind": "b", "is_ask": "b", "last": "b", "price": "q", "size": "q"}
    found = {}
    for name, kind in kinds.items():
        found[name] = array(kind)
        found[name].frombytes((folder / name).read_bytes())
    return found


def deltas(folder: Path, ids: list[Any]) -> Iterator[Any]:
    """Yield what the engine replays."""
    found = columns(folder)
    prices = [model.Price(tick / 1_000, 3) for tick in range(1_001)]
    sizes: dict[int, Any] = {}
    for number, (ts, instrument, kind, is_ask, last, price, size) in enumerate(zip(*found.values(), strict=True)):
        flags = LAST_OF_EVENT if last else 0
        if kind == CLEAR:
            order = model.BookOrder(OrderSide.NO_ORDER_SIDE, prices[0], model.Quantity(0, 6), 0)
            yield model.OrderBookDelta(ids[instrument], BookAction.CLEAR, order, flags, number, ts, ts)
        elif kind == LEVEL:
            quantity = sizes.get(size) or sizes.setdefault(size, model.Quantity(size / 1e6, 6))
            order = model.BookOrder(OrderSide.SELL if is_ask else OrderSide.BUY, prices[price // 1_000], quantity, 0)
            action = BookAction.UPDATE if size else BookAction.DELETE
            yield model.OrderBookDelta(ids[instrument], action, order, flags, number, ts, ts)


def instrument(instrument_id: Any) -> Any:
    """Return the instrument: a share that pays one dollar or nothing."""
    given = {
        "raw_symbol": instrument_id.symbol,
        "asset_class": AssetClass.ALTERNATIVE,
        "currency": model.Currency.from_str("USDC"),
        "activation_ns": 0,
        "expiration_ns": 4_000_000_000_000_000_000,
        "price_precision": 3,
        "size_precision": 6,
        "price_increment": model.Price(0.001, 3),
        "size_increment": model.Quantity(0.000001, 6),
        "ts_event": 0,
        "ts_init": 0,
    }
    if not IS_TWO:
        given |= {"maker_fee": Decimal(0), "taker_fee": Decimal(0), "outcome": "Yes", "description": "made up"}
        given |= {"max_quantity": None, "min_quantity": None}
    return (
        model.instruments.BinaryOption(instrument_id=instrument_id, **given)
        if not IS_TWO
        else model.BinaryOption(instrument_id=instrument_id, **given)
    )


def main() -> None:
    """Run once, print what it took."""
    folder = Path(sys.argv[1])
    meta = json.loads((folder / "meta.json").read_bytes())
    ids = [model.InstrumentId(model.Symbol(each), model.Venue(VENUE)) for each in meta["instruments"]]
    if IS_TWO:
        config = BacktestEngineConfig(bypass_logging=True, run_analysis=False)
    else:
        config = BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True), run_analysis=False)
    engine = BacktestEngine(config)
    money = [model.Money(10_000, model.Currency.from_str("USDC"))]
    more = {"fee_model": MakerTakerFeeModel(Decimal(0), Decimal(0))} if IS_TWO else {}
    engine.add_venue(
        venue=model.Venue(VENUE), oms_type=OmsType.NETTING, account_type=AccountType.CASH, starting_balances=money,
        book_type=BookType.L2_MBP, **more,
    )  # fmt: skip
    for each in ids:
        engine.add_instrument(instrument(each))
    engine.add_data(list(deltas(folder, ids)))
    strategy = Look()
    strategy.prepare(ids)
    engine.add_strategy(strategy)
    began = time.process_time()
    engine.run()
    took = time.process_time() - began
    tops = [
        [None if each is None else int(Decimal(str(each)) * 1_000_000) for each in strategy.tops.get(key, (None, None))]
        for key in ids
    ]
    (folder / "answer.json").write_text(
        json.dumps({"version": nautilus_trader.__version__, "cpu": took, "seen": strategy.seen, "tops": tops})
    )


if __name__ == "__main__":
    main()
