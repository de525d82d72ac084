"""The market channel's messages, byte for byte as the venue writes them.

Kept apart from the channel because these are facts about a wire and not about what happens.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from predsurv.core.ids import OrderSide
from predsurv.core.num import MICROS
from predsurv.simulate.polymarket.books import Outcome, TokenPairBook, text
from predsurv.simulate.polymarket.catalog import SimulatedMarket, paid

PONG: Final = b"PONG"

_SIDES: Final[dict[OrderSide, tuple[bytes, bytes]]] = {"buy": (b"BUY", b"SELL"), "sell": (b"SELL", b"BUY")}


def change(market: str, entries: Sequence[bytes], stamp: int) -> bytes:
    """Return a ``price_change`` of ``entries``."""
    return b'{"market":"%s","price_changes":[%s],"timestamp":"%d","event_type":"price_change"}' % (
        market.encode(),
        b",".join(entries),
        stamp,
    )


def entry(token: str, level: tuple[int, int, bytes], digest: bytes, best: tuple[bytes, bytes]) -> bytes:
    """Return one entry of a ``price_change``; ``level``: price and size in micros, and the side."""
    price, size, side = level
    return b'{"asset_id":"%s","price":"%s","size":"%s","side":"%s","hash":"%s","best_bid":"%s","best_ask":"%s"}' % (
        token.encode(),
        text(price),
        text(size),
        side,
        digest,
        *best,
    )


def opening_book(book: TokenPairBook, outcome: Outcome) -> bytes:
    """Return the book that answers a subscription; only these tell tick size and last trade."""
    extra = b',"tick_size":"%s"' % book.tick
    return _book(book, outcome, extra, b',"last_trade_price":"%s"' % book.last[outcome])


def later_book(book: TokenPairBook, outcome: Outcome) -> bytes:
    """Return the book that follows a trade."""
    return _book(book, outcome, b"", b"")


def trade(book: TokenPairBook, outcome: Outcome, deal: tuple[int, int, OrderSide], transaction: str) -> bytes:
    """Return ``last_trade_price``; ``deal`` as the first token sees it: price, size, taker's side."""
    price, size, side = deal
    if outcome:
        price = MICROS - price
    return (
        b'%s,"price":"%s","size":"%s","fee_rate_bps":"0","side":"%s","timestamp":"%d",'
        b'"event_type":"last_trade_price","transaction_hash":"%s"}'
    ) % (book.head(outcome), text(price), text(size), _SIDES[side][outcome], book.stamp, transaction.encode())


def best(book: TokenPairBook, outcome: Outcome) -> bytes:
    """Return ``best_bid_ask``."""
    bid, ask = book.bids.best(), book.asks.best()
    spread = text((MICROS if ask is None else ask) - (bid or 0))
    return b'%s,"best_bid":"%s","best_ask":"%s","spread":"%s","timestamp":"%d","event_type":"best_bid_ask"}' % (
        book.head(outcome),
        *book.best(outcome),
        spread,
        book.stamp,
    )


def tick_size(book: TokenPairBook, outcome: Outcome, old: bytes, stamp: int) -> bytes:
    """Return ``tick_size_change`` to the book's present tick."""
    return b'%s,"old_tick_size":"%s","new_tick_size":"%s","timestamp":"%d","event_type":"tick_size_change"}' % (
        book.head(outcome),
        old,
        book.tick,
        stamp,
    )


def new_market(row: SimulatedMarket, stamp: int) -> bytes:
    """Return ``new_market``."""
    group, market = row.group, row.market
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
                "id": str(group.number),
                "ticker": group.slug,
                "slug": group.slug,
                "title": group.title,
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
            "order_price_min_tick_size": text(market.tick_size).decode(),
            "group_item_title": row.label,
            "taker_base_fee": "0",
            "fees_enabled": bool(fee.rate),
            "fee_schedule": fee_schedule(row),
        }
    )


def resolved(row: SimulatedMarket, stamp: int) -> bytes:
    """Return ``market_resolved``; the row must be settled."""
    wins = next(index for index, payout in enumerate(paid(row)) if payout)
    return msgspec.json.encode(
        {
            "id": str(row.number),
            "market": row.condition,
            "assets_ids": row.tokens,
            "winning_asset_id": row.tokens[wins],
            "winning_outcome": row.outcomes[wins],
            "event_message": None,
            "timestamp": str(stamp),
            "event_type": "market_resolved",
            "tags": list(row.market.tags),
        }
    )


def fee_schedule(row: SimulatedMarket) -> dict[str, object] | None:
    """Return Gamma's ``feeSchedule``; None where trading is free."""
    rate = row.market.fee.rate
    if not rate:
        return None
    exact = msgspec.Raw(text(rate))
    return {"exponent": row.market.fee.exponent, "rate": exact, "takerOnly": True, "rebateRate": msgspec.Raw(b"0.25")}


def _book(book: TokenPairBook, outcome: Outcome, middle: bytes, tail: bytes) -> bytes:
    return b'%s,"timestamp":"%d","hash":"%s","bids":[%s],"asks":[%s]%s,"event_type":"book"%s}' % (
        book.head(outcome),
        book.stamp,
        book.hash(outcome),
        *book.sides(outcome),
        middle,
        tail,
    )
