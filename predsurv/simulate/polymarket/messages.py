"""The market channel's messages, byte for byte as the venue writes them."""

from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from predsurv.core.ids import OrderSide, Side
from predsurv.core.num import MICROS, Price, Size
from predsurv.simulate.polymarket.books import BestPrices, Outcome, TokenPairBook, decimal_text
from predsurv.simulate.polymarket.catalog import SimulatedMarket, payouts

PONG: Final = b"PONG"

_BOOK_SIDES: Final[dict[Side, tuple[bytes, bytes]]] = {"bid": (b"BUY", b"SELL"), "ask": (b"SELL", b"BUY")}
_TRADE_SIDES: Final[dict[OrderSide, tuple[bytes, bytes]]] = {"buy": (b"BUY", b"SELL"), "sell": (b"SELL", b"BUY")}
_ENTRY: Final = b'{"asset_id":"%s","price":"%s","size":"%s","side":"%s","hash":"%s","best_bid":"%s","best_ask":"%s"}'
_PRICE_CHANGE: Final = (
    b'{"market":"%s","price_changes":[' + _ENTRY + b"," + _ENTRY + b'],"timestamp":"%d","event_type":"price_change"}'
)


class LevelUpdate(Struct, frozen=True, gc=False):
    """A changed level of the first token (price and size in micros), and the best prices of both tokens after it."""

    side: Side
    price: Price
    size: Size
    best: BestPrices
    second_best: BestPrices


class AggregatedTrade(NamedTuple):
    """Trades of one burst at one price, as the first token's; price and size in micros.

    ``outcome``: the takers' token, on which alone they are told. ``transaction``: the transaction hash.
    """

    price: int
    size: int
    taker_side: OrderSide
    outcome: Outcome
    transaction: str


def price_change(market: str, book: TokenPairBook, update: LevelUpdate) -> bytes:
    """Return ``price_change`` of one level, with an entry for each token; ``book`` as after its burst."""
    size, best, second_best = decimal_text(update.size), update.best, update.second_best
    first, second = book.tokens
    side, second_side = _BOOK_SIDES[update.side]
    return _PRICE_CHANGE % (
        market.encode(),
        first.encode(),
        decimal_text(update.price),
        size,
        side,
        book.hash(0),
        best.bid,
        best.ask,
        second.encode(),
        decimal_text(MICROS - update.price),
        size,
        second_side,
        book.hash(1),
        second_best.bid,
        second_best.ask,
        book.stamp,
    )


def opening_book(book: TokenPairBook, outcome: Outcome) -> bytes:
    """Return the ``book`` that follows a subscription; only this one has tick size and last trade price."""
    tick_size = b',"tick_size":"%s"' % book.tick_size
    return _book(book, outcome, tick_size, b',"last_trade_price":"%s"' % book.last_prices[outcome])


def book_after_trade(book: TokenPairBook, outcome: Outcome) -> bytes:
    """Return the ``book`` that follows a trade."""
    return _book(book, outcome, b"", b"")


def last_trade_price(book: TokenPairBook, trade: AggregatedTrade) -> bytes:
    """Return ``last_trade_price``, the only message about ``trade``."""
    price, size, side, outcome, transaction = trade
    if outcome:
        price = MICROS - price
    return (
        b'%s,"price":"%s","size":"%s","fee_rate_bps":"0","side":"%s","timestamp":"%d",'
        b'"event_type":"last_trade_price","transaction_hash":"%s"}'
    ) % (
        book.head(outcome),
        decimal_text(price),
        decimal_text(size),
        _TRADE_SIDES[side][outcome],
        book.stamp,
        transaction.encode(),
    )


def best_bid_ask(book: TokenPairBook, outcome: Outcome) -> bytes:
    """Return ``best_bid_ask``."""
    bid, ask, best = book.bids.best(), book.asks.best(), book.best(outcome)
    spread = decimal_text((MICROS if ask is None else ask) - (bid or 0))
    return b'%s,"best_bid":"%s","best_ask":"%s","spread":"%s","timestamp":"%d","event_type":"best_bid_ask"}' % (
        book.head(outcome),
        best.bid,
        best.ask,
        spread,
        book.stamp,
    )


def tick_size_change(book: TokenPairBook, outcome: Outcome, old_tick_size: bytes, stamp: int) -> bytes:
    """Return ``tick_size_change`` to the book's present tick size; ``stamp`` in ms UTC."""
    return b'%s,"old_tick_size":"%s","new_tick_size":"%s","timestamp":"%d","event_type":"tick_size_change"}' % (
        book.head(outcome),
        old_tick_size,
        book.tick_size,
        stamp,
    )


def new_market(row: SimulatedMarket, stamp: int) -> bytes:
    """Return ``new_market``; ``stamp`` in ms UTC."""
    event, market = row.event, row.market
    fee = market.fee
    return msgspec.json.encode(
        {
            "id": str(row.number),
            "question": row.question,
            "market": row.condition,
            "slug": row.slug,
            "description": market.description or "",
            "assets_ids": row.tokens,
            "outcomes": row.outcomes,
            "event_message": {
                "id": str(event.number),
                "ticker": event.slug,
                "slug": event.slug,
                "title": event.title,
                "description": market.description or "",
            },
            "timestamp": str(stamp),
            "event_type": "new_market",
            "tags": list(market.tags),
            "condition_id": row.condition,
            "active": True,
            "clob_token_ids": row.tokens,
            "sports_market_type": "",
            "line": "",
            "game_start_time": "",
            "order_price_min_tick_size": decimal_text(market.tick_size).decode(),
            "group_item_title": row.label,
            "taker_base_fee": "0",
            "fees_enabled": bool(fee.rate),
            "fee_schedule": fee_schedule(row),
        }
    )


def resolved(row: SimulatedMarket, stamp: int) -> bytes:
    """Return ``market_resolved`` of a settled market, which names no winner where it is void; ``stamp`` in ms UTC."""
    winner = next(index for index, payout in enumerate(payouts(row)) if payout)
    return msgspec.json.encode(
        {
            "id": str(row.number),
            "market": row.condition,
            "assets_ids": row.tokens,
            "winning_asset_id": "" if row.void else row.tokens[winner],
            "winning_outcome": "" if row.void else row.outcomes[winner],
            "event_message": None,
            "timestamp": str(stamp),
            "event_type": "market_resolved",
            "tags": list(row.market.tags),
        }
    )


def fee_schedule(row: SimulatedMarket) -> dict[str, object] | None:
    """Return Gamma's ``feeSchedule``; None for a market without fees."""
    rate = row.market.fee.rate
    if not rate:
        return None
    rate_json = msgspec.Raw(decimal_text(rate))
    return {
        "exponent": row.market.fee.exponent,
        "rate": rate_json,
        "takerOnly": True,
        "rebateRate": msgspec.Raw(b"0.25"),
    }


def _book(book: TokenPairBook, outcome: Outcome, tick_size: bytes, last_trade: bytes) -> bytes:
    return b'%s,"timestamp":"%d","hash":"%s","bids":[%s],"asks":[%s]%s,"event_type":"book"%s}' % (
        book.head(outcome),
        book.stamp,
        book.hash(outcome),
        *book.sides_json(outcome),
        tick_size,
        last_trade,
    )
