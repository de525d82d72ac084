"""Trades from the match to the chain: MATCHED, MINED, CONFIRMED, or RETRYING and FAILED; balances follow the chain."""

from collections import Counter
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final, NamedTuple
from uuid import UUID

from predsurv.core.fees import maker_fee
from predsurv.core.num import MICROS, Price, Size, notional, notional_up
from predsurv.exchange.exchange import Exchange
from predsurv.simulate.polymarket.books import Outcome
from predsurv.simulate.polymarket.catalog import ListedToken, SimulatedMarket
from predsurv.simulate.polymarket.trading.accounts import ClobAccount, ClobOrder, Delta
from predsurv.simulate.polymarket.trading.order_entry import fee_of

_MS: Final = 1_000_000
MINED_AFTER: Final = 400 * _MS
"""From the match until the transaction is in a block (ns)."""
CONFIRMED_AFTER: Final = 1_000 * _MS
"""From the match until the trade is confirmed, or has failed (ns). The venue needs some seconds."""
TRADES_KEPT_MAX: Final = 200_000


class TradedPart(NamedTuple):
    """A resting order's part of a trade, in its own token; ``order`` is None for a maker of the exchange."""

    order: ClobOrder | None
    order_id: str
    owner: str
    maker: str
    outcome: Outcome
    is_buy: bool
    price: int
    size: int


class SettlingTrade:
    """One trade. ``taker``: None for a taker of the exchange, whose ``taker_id`` is made up.

    ``token``, ``is_buy``, ``price`` and ``size`` are the taker's. ``changed``: when the status changed last, ns UTC.
    """

    __slots__ = (
        "changed",
        "fails",
        "is_buy",
        "matched_at",
        "number",
        "parts",
        "price",
        "size",
        "status",
        "taker",
        "taker_id",
        "token",
        "trade_id",
        "transaction",
    )

    def __init__(
        self, number: int, matched_at: int, token: ListedToken, taker: ClobOrder | None, *, is_buy: bool, fails: bool
    ) -> None:
        digest = sha256(f"trade {number} {token.row.condition}".encode()).digest()
        self.number = number
        self.trade_id = str(UUID(bytes=digest[:16], version=4))
        self.taker_id = f"0x{digest.hex()}" if taker is None else taker.order_id
        self.matched_at = self.changed = matched_at
        self.token = token
        self.taker = taker
        self.is_buy = is_buy
        self.fails = fails
        self.price = self.size = 0
        self.parts: list[TradedPart] = []
        self.status = "MATCHED"
        self.transaction = ""

    @property
    def row(self) -> SimulatedMarket:
        """The market."""
        return self.token.row

    def orders(self) -> list[ClobOrder]:
        """Return the orders of accounts that are in it, the taker's first."""
        found = [] if self.taker is None else [self.taker]
        return found + [part.order for part in self.parts if part.order is not None]


TradeListener = Callable[[SettlingTrade], None]
AccountOf = Callable[[ClobOrder], ClobAccount]


class ChainSettlement:
    """Settles trades on the exchange's time; ``listeners`` are told of every status."""

    def __init__(self, exchange: Exchange, account_of: AccountOf) -> None:
        self.trades: dict[str, SettlingTrade] = {}
        self.listeners: list[TradeListener] = []
        self._exchange = exchange
        self._account_of = account_of

    def begin(self, trade: SettlingTrade) -> None:
        """Tell of a trade that was just matched, hold what it changes, and take it to its end."""
        self.trades[trade.trade_id] = trade
        if len(self.trades) > TRADES_KEPT_MAX:
            del self.trades[next(iter(self.trades))]
        for order, price, size, fee in shares_of(trade):
            delta = _delta(order, price, size, fee)
            self._account_of(order).pending.setdefault(trade.trade_id, []).append(delta)
            order.trades.append(trade.trade_id)
        self._tell(trade, "MATCHED")
        self._exchange.schedule(trade.matched_at + MINED_AFTER, lambda now: self._mine(trade, now))
        self._exchange.schedule(trade.matched_at + CONFIRMED_AFTER, lambda now: self._finish(trade, now))

    def _mine(self, trade: SettlingTrade, now: int) -> None:
        trade.changed = now
        if trade.fails:
            self._tell(trade, "RETRYING")
        else:
            trade.transaction = f"0x{sha256(f'transaction {trade.trade_id}'.encode()).hexdigest()}"
            self._tell(trade, "MINED")

    def _finish(self, trade: SettlingTrade, now: int) -> None:
        trade.changed = now
        if not trade.fails:
            for order in trade.orders():
                self._account_of(order).confirm(trade.trade_id)
            self._tell(trade, "CONFIRMED")
            return
        for order in trade.orders():
            self._account_of(order).pending.pop(trade.trade_id, None)
        if trade.taker is not None:
            trade.taker.fail(trade.size)
        for part in trade.parts:
            if part.order is not None:
                part.order.fail(part.size)
        self._tell(trade, "FAILED")

    def _tell(self, trade: SettlingTrade, status: str) -> None:
        trade.status = status
        for listener in self.listeners:
            listener(trade)


def anonymous_part(trade: SettlingTrade, index: int, price: int, size: int) -> TradedPart:
    """Return the part of a maker of the exchange who was met at ``price`` of the taker's token.

    Every third one is in the other token: one buys where the taker buys, and a new pair is made for both.
    """
    digest = sha256(f"maker {trade.number} {index}".encode()).digest()
    is_crossed = digest[0] % 3 == 0
    other: Outcome = 0 if trade.token.outcome else 1
    return TradedPart(
        None,
        f"0x{digest.hex()}",
        str(UUID(bytes=digest[:16], version=4)),
        f"0x{digest[:20].hex()}",
        other if is_crossed else trade.token.outcome,
        is_buy=trade.is_buy == is_crossed,
        price=MICROS - price if is_crossed else price,
        size=size,
    )


def order_part(order: ClobOrder, size: int) -> TradedPart:
    """Return the part of a resting order of an account."""
    entered = order.entered
    outcome = entered.token.outcome
    return TradedPart(
        order, order.order_id, entered.key.key, entered.maker, outcome, entered.is_buy, entered.price, size
    )


class TradeShare(NamedTuple):
    """What an order of an account has of a trade at one ``price`` of its own token; micros."""

    order: ClobOrder
    price: int
    size: int
    fee: int


def shares_of(trade: SettlingTrade) -> Sequence[TradeShare]:
    """Return what each order of an account has of a trade: only takers pay fees, on all that they took at one price."""
    found: list[TradeShare] = []
    if trade.taker is not None:
        taken = Counter[int]()
        for part in trade.parts:
            taken[part.price if part.outcome == trade.token.outcome else MICROS - part.price] += part.size
        for price, size in taken.items():
            fee = fee_of(trade.taker.entered, Price(price), Size(size))
            found.append(TradeShare(trade.taker, price, size, fee))
    for part in trade.parts:
        if part.order is not None:
            fee = maker_fee(part.order.entered.listing.market.fee, Price(part.price), Size(part.size))
            found.append(TradeShare(part.order, part.price, part.size, fee))
    return found


def _delta(order: ClobOrder, price: int, size: int, fee: int) -> Delta:
    if order.entered.is_buy:
        return Delta(order.asset, -notional_up(Price(price), Size(size)) - fee, size)
    return Delta(order.asset, notional(Price(price), Size(size)) - fee, -size)
