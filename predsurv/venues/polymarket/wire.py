"""The payloads of Polymarket's market channel as msgspec structs, and their decoders.

A changed wire format changes this file only. Source: Polymarket's market channel documentation and
messages recorded from it. Unused fields are left out: decoding is the hottest path of the recorder.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Generic, Literal, TypeVar, cast

import msgspec
from msgspec import Raw, Struct

from predsurv.core.errors import WireError
from predsurv.venues.parsing import mended_json

PING: Final = b"PING"
PONG: Final = b"PONG"
"""The answer to our keepalive: bare text, not JSON."""

LEVELS_MAX: Final = 10_000
"""Most levels a side of a book may have; more is a malformed message."""

ZERO_SIZES: Final = frozenset({"0", "0.0", "0.00", "0.000", "0.0000", "0.00000", "0.000000"})
"""How a size of 0, which removes a level, may be written."""

WireSide = Literal["BUY", "SELL"]
Fields = Mapping[str, Raw]


class BareChange(Struct, gc=False):
    """One entry of ``price_change``: the new absolute size at a price of one token."""

    asset_id: str
    price: str
    size: str
    side: WireSide


class WireChange(BareChange, gc=False):
    """An entry with the ``hash`` of the token's book after the last entry of the same burst."""

    hash: str = ""


class QuotedChange(WireChange, gc=False):
    """An entry with the best prices after it as well, which are decoded only where hashes prove nothing."""

    best_bid: str = ""
    best_ask: str = ""


Change = TypeVar("Change", bound=BareChange, covariant=True)


class PriceChange(Struct, Generic[Change], gc=False, tag_field="event_type", tag="price_change"):
    """Levels changed; a real change names the token and its complement.

    ``{"market":"0x15…","price_changes":[{"asset_id":"99…","price":"0.85","size":"503.32",
    "side":"BUY","hash":"52a1…","best_bid":"0.85","best_ask":"0.86"},…],
    "timestamp":"1778204225252","event_type":"price_change"}``
    """

    price_changes: Sequence[Change]
    timestamp: int


class WireLevel(Struct, gc=False):
    """One level of a book."""

    price: str
    size: str


class WireBook(Struct, gc=False, tag_field="event_type", tag="book"):
    """A whole book, worst level first on both sides; sent on subscribing and after trades.

    ``{"market":"0xed…","asset_id":"36…","timestamp":"1775740020016","hash":"6ce3…",
    "bids":[{"price":"0.01","size":"80.01"},…],"asks":[{"price":"0.99","size":"64.54"},…],
    "tick_size":"0.01","event_type":"book","last_trade_price":""}``
    """

    asset_id: str
    bids: list[WireLevel]
    asks: list[WireLevel]
    timestamp: int
    market: str = ""
    hash: str = ""
    tick_size: str = ""
    last_trade_price: str = ""


class LastTrade(Struct, gc=False, tag_field="event_type", tag="last_trade_price"):
    """A trade, without an id; ``side`` is the taker's.

    ``{"market":"0x3b…","asset_id":"10…","price":"0.51","size":"20","fee_rate_bps":"0",
    "side":"BUY","timestamp":"1786844303130","event_type":"last_trade_price",
    "transaction_hash":"0x7f…"}``
    """

    asset_id: str
    price: str
    size: str
    side: str
    timestamp: int
    transaction_hash: str = ""


class BestBidAsk(Struct, gc=False, tag_field="event_type", tag="best_bid_ask"):
    """The venue's own best prices; ``"0"`` and ``"1"`` stand for an empty side.

    ``{"market":"0x00…","asset_id":"85…","best_bid":"0.73","best_ask":"0.77","spread":"0.04",
    "timestamp":"1766789469958","event_type":"best_bid_ask"}``
    """

    asset_id: str
    best_bid: str
    best_ask: str
    timestamp: int


class TickSizeChange(Struct, gc=False):
    """The price grid changed (near 0 and 1 it gets finer); may be repeated or change nothing.

    ``{"market":"0xdd…","asset_id":"71…","old_tick_size":"0.01","new_tick_size":"0.001",
    "timestamp":"1791200000200","event_type":"tick_size_change"}``
    """

    asset_id: str
    old_tick_size: str
    new_tick_size: str
    timestamp: int


class ResolvedMessage(Struct, gc=False):
    """A market settled. Not reliable: half of the observed settlements came without it. One without a single winner
    names none.

    ``{"id":"5234673","market":"0x0c…","assets_ids":["10…","10…"],"winning_asset_id":"10…",
    "winning_outcome":"Down","event_message":null,"timestamp":"1791124648409",
    "event_type":"market_resolved","tags":["Crypto",…]}``
    """

    market: str
    assets_ids: tuple[str, ...]
    winning_asset_id: str
    timestamp: int
    winning_outcome: str = ""


class NewMarketMessage(Struct, gc=False):
    """A new market, anywhere on the venue; ``fields`` are Gamma's under other names.

    ``{"id":"1031769","question":"…","market":"0x31…","slug":"…","description":"…",
    "assets_ids":["76…","31…"],"outcomes":["Yes","No"],"event_message":{"id":"125819",…},
    "timestamp":"1766790415550","event_type":"new_market","tags":["stocks"],
    "condition_id":"0x31…","active":true,"clob_token_ids":["76…","31…"],
    "order_price_min_tick_size":"0.01",…}``
    """

    fields: dict[str, Raw]
    timestamp: int


class MirrorTrade(Struct, gc=False):
    """A trade told on the other token of its market: ``price`` as one of ``asset_id``, in decimals. No message."""

    asset_id: str
    price: str


Frequent = PriceChange[WireChange] | WireBook | LastTrade | BestBidAsk
AboutToken = WireBook | LastTrade | BestBidAsk | TickSizeChange
Single = AboutToken | ResolvedMessage | NewMarketMessage
Message = Single | PriceChange[WireChange]
BookMessage = PriceChange[WireChange] | WireBook | LastTrade | MirrorTrade | TickSizeChange | bytes
"""A message about the state of a book; changes, books and trades perhaps as the frames they came in."""

# The venue writes its tag last, so a decoder of the union reads an object twice; most frames are
# price changes, and one that ends like this cannot be anything else.
CHANGE_TAIL: Final = b'"event_type":"price_change"}'

# strict=False reads the digits of "timestamp" as an int; every other field stays as it is.
read_change = msgspec.json.Decoder(PriceChange[WireChange], strict=False).decode
"""Bytes to ``PriceChange`` in its present form; raises ValueError for all else."""

read_bare_change = cast(
    "Callable[[bytes], PriceChange[WireChange]]", msgspec.json.Decoder(PriceChange[BareChange], strict=False).decode
)
"""The same without hashes, for when books are not verified: a sixteenth faster."""

read_quoted_change = msgspec.json.Decoder(PriceChange[QuotedChange], strict=False).decode
"""The same with best prices, a sixth slower."""

SIDE_SIGN: Final = b'"bids"'
"""The name of a side of a book: every book has it, and no other message of the market channel."""

_ANNOUNCEMENT_SIGN: Final = b'"new_market"'

# A message that contains this is a book, or fits none of the frequent kinds.
_BOOK_SIGN: Final = b'"bids":['
_read_book = msgspec.json.Decoder(WireBook, strict=False).decode
_read_trade = msgspec.json.Decoder(LastTrade, strict=False).decode
_frequent = msgspec.json.Decoder(Frequent, strict=False).decode
_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_several = msgspec.json.Decoder(list[Raw]).decode
_list_of_fields = msgspec.json.Decoder(list[dict[str, Raw]]).decode
_text = msgspec.json.Decoder(str).decode
_texts = msgspec.json.Decoder(tuple[str, ...]).decode


def read(message: bytes) -> tuple[str, Message | None]:
    """Return the kind of a message and the message, None for an unknown kind.

    Tries the present form of the frequent kinds first, then every form ever seen: JSON numbers for
    texts, unreadable timestamps (as 0), the flat and the ``changes`` form of ``price_change``.
    Raises WireError (or ValueError from the JSON decoder) when none fits.
    """
    try:
        try:
            return "", _read_book(message) if _BOOK_SIGN in message else _frequent(message)
        except ValueError:
            return _read_any(_read_fields(message))
    except RecursionError as error:
        raise WireError("nested too deeply") from error


def _read_fields(message: bytes) -> Fields:
    """Return the fields of a message; the texts of an announcement, which people write, are mended where needed."""
    try:
        return _fields(message)
    except ValueError:
        if _ANNOUNCEMENT_SIGN not in message:
            raise
        return _fields(mended_json(message))


def read_pending(frame: bytes, *, quoted: bool) -> PriceChange[WireChange] | WireBook | LastTrade:
    """Return a change, book or trade in its present form; ``quoted``: with best prices. Raises ValueError otherwise."""
    if frame.endswith(CHANGE_TAIL):
        return read_quoted_change(frame) if quoted else read_change(frame)
    return _read_book(frame) if SIDE_SIGN in frame else _read_trade(frame)


def split(frame: bytes) -> list[Raw]:
    """Return the messages of a frame that is a JSON array; raises ValueError or WireError when it is none."""
    try:
        return _several(frame)
    except RecursionError as error:
        raise WireError("nested too deeply") from error


def kind_of(fields: Fields) -> str:
    """Return the kind of a message: its ``event_type``, or the one that its keys imply when that is missing.

    Archives and REST answers hold the same objects without the tag. Raises WireError when the kind
    cannot be told.
    """
    if "event_type" in fields:
        return text(fields, "event_type")
    for key, kind in (
        ("price_changes", "price_change"),
        ("changes", "price_change"),
        ("bids", "book"),
        ("new_tick_size", "tick_size_change"),
        ("winning_asset_id", "market_resolved"),
        ("best_bid", "best_bid_ask"),
        ("fee_rate_bps", "last_trade_price"),
    ):
        if key in fields:
            return kind
    raise WireError("message without event_type and of no known shape")


def _read_any(fields: Fields) -> tuple[str, Message | None]:
    kind = kind_of(fields)
    reader = _READERS.get(kind)
    return kind, None if reader is None else reader(fields)


def text(fields: Fields, key: str, default: str | None = None) -> str:
    """Return a field as text, numbers as written; raises WireError when absent without default."""
    raw = bytes(fields.get(key, b"null"))
    if raw == b"null":
        if default is None:
            raise WireError(f"message without {key}")
        return default
    if raw[:1] == b'"':
        return _text(raw)
    if raw[:1] in b"{[tf":
        raise WireError(f"{key} is neither text nor a number")
    return raw.decode("ascii")


def texts(fields: Fields, key: str) -> tuple[str, ...]:
    """Return a list of texts; empty when absent or null."""
    raw = bytes(fields.get(key, b"null"))
    return () if raw == b"null" else _texts(raw)


def _stamp(fields: Fields) -> int:
    digits = text(fields, "timestamp", "")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 20 else 0


def _wire_side(fields: Fields) -> WireSide:
    match text(fields, "side").upper():
        case "BUY":
            return "BUY"
        case "SELL":
            return "SELL"
        case _:
            raise WireError("side is neither BUY nor SELL")


def _price_change(fields: Fields) -> PriceChange[WireChange]:
    for key in ("price_changes", "changes"):
        if key in fields:
            entries = _list_of_fields(fields[key])
            break
    else:
        entries = [dict(fields)]
    changes = [
        QuotedChange(
            text(entry, "asset_id", "") or text(fields, "asset_id"),
            text(entry, "price"),
            text(entry, "size"),
            _wire_side(entry),
            text(entry, "hash", ""),
            text(entry, "best_bid", ""),
            text(entry, "best_ask", ""),
        )
        for entry in entries
    ]
    return PriceChange(changes, _stamp(fields))


def _book(fields: Fields) -> WireBook:
    if "bids" not in fields and "asks" not in fields:
        raise WireError("book without bids and asks")
    facts = (text(fields, key, "") for key in ("market", "hash", "tick_size", "last_trade_price"))
    return WireBook(text(fields, "asset_id"), _levels(fields, "bids"), _levels(fields, "asks"), _stamp(fields), *facts)


def _levels(fields: Fields, key: str) -> list[WireLevel]:
    raw = fields.get(key)
    if raw is None or bytes(raw) == b"null":
        return []
    return [WireLevel(text(entry, "price"), text(entry, "size")) for entry in _list_of_fields(raw)]


def _last_trade(fields: Fields) -> LastTrade:
    return LastTrade(
        text(fields, "asset_id"),
        text(fields, "price"),
        text(fields, "size"),
        text(fields, "side", ""),
        _stamp(fields),
        text(fields, "transaction_hash", ""),
    )


def _best(fields: Fields) -> BestBidAsk:
    return BestBidAsk(
        text(fields, "asset_id"), text(fields, "best_bid", ""), text(fields, "best_ask", ""), _stamp(fields)
    )


def _tick_size(fields: Fields) -> TickSizeChange:
    return TickSizeChange(
        text(fields, "asset_id"), text(fields, "old_tick_size", ""), text(fields, "new_tick_size"), _stamp(fields)
    )


def _resolved(fields: Fields) -> ResolvedMessage:
    return ResolvedMessage(
        text(fields, "market"),
        texts(fields, "assets_ids"),
        text(fields, "winning_asset_id", ""),
        _stamp(fields),
        text(fields, "winning_outcome", ""),
    )


def _new_market(fields: Fields) -> NewMarketMessage:
    return NewMarketMessage(dict(fields), _stamp(fields))


_READERS: Final[dict[str, Callable[[Fields], Message]]] = {
    "price_change": _price_change,
    "book": _book,
    "last_trade_price": _last_trade,
    "best_bid_ask": _best,
    "tick_size_change": _tick_size,
    "market_resolved": _resolved,
    "new_market": _new_market,
}
