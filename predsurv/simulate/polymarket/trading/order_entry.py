"""What is sent as an order, read and checked by the venue's rules: form, signature, market, price and size."""

from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from predsurv.core.fees import taker_fee
from predsurv.core.num import MICROS, Price, Size, format_micros
from predsurv.exchange.directory import InstrumentListing, MarketDirectory
from predsurv.simulate.polymarket.catalog import ListedToken, SimulatedCatalog
from predsurv.simulate.polymarket.trading.credentials import IssuedKey, address_bytes, hex_bytes
from predsurv.simulate.polymarket.trading.signatures import SignatureChecker
from predsurv.venues.polymarket.orders.ethereum_key import checksummed
from predsurv.venues.polymarket.orders.exchanges import EXCHANGE_V3, NEG_RISK, STANDARD, TOKEN_ID_MAX
from predsurv.venues.polymarket.orders.signing import DEPOSIT_WALLET, EOA
from predsurv.venues.polymarket.orders.typed_data import OrderFields

EXPIRATION_S_MIN: Final = 180
"""How far ahead an expiration has to be at least."""
TAKER_BUY_MIN: Final = MICROS
"""Least worth (micros) of a buy that only takes."""
_FINEST_TICK: Final = 100
_CENT: Final = 10_000
_UINT256: Final = 1 << 256
_RESTING: Final = ("GTC", "GTD")
_TAKING: Final = ("FOK", "FAK")
_NS_PER_S: Final = 1_000_000_000


class OrderPayload(Struct, rename="camel"):
    """``{"salt":479249096354,"maker":"0x…","signer":"0x…","tokenId":"7132…","makerAmount":"5000000",
    "takerAmount":"10000000","side":"BUY","signatureType":0,"timestamp":"1710000000000","expiration":"0",
    "metadata":"0x0…","builder":"0x0…","signature":"0x…"}``.
    """

    salt: int
    maker: str
    signer: str
    token_id: str
    maker_amount: str
    taker_amount: str
    side: str
    signature_type: int
    timestamp: str
    metadata: str
    builder: str
    signature: str
    expiration: str = "0"


class PlacePayload(Struct, rename="camel"):
    """``{"order":{…},"owner":"<API key>","orderType":"GTC","deferExec":false,"postOnly":true}``."""

    order: OrderPayload
    owner: str
    order_type: str
    defer_exec: bool = False
    post_only: bool = False


class OrderRejection(NamedTuple):
    """Why an order is not taken; ``order_id`` where it is known."""

    text: str
    status: int = 400
    order_id: str = ""


class EnteredOrder(NamedTuple):
    """An order that may be matched. ``price`` (micros) is what its amounts mean, ``size`` its shares (micros).

    ``dollars``: what a buy that only takes spends (micros), else 0. ``expiration``: seconds UTC as sent, 0 for none.
    """

    order_id: str
    key: IssuedKey
    maker: str
    token: ListedToken
    listing: InstrumentListing
    is_buy: bool
    price: Price
    size: Size
    dollars: int
    order_type: str
    expiration: int
    post_only: bool

    @property
    def is_resting(self) -> bool:
        """Whether it may rest in the book."""
        return self.order_type in _RESTING


_read_place = msgspec.json.Decoder(PlacePayload).decode
_INVALID: Final = OrderRejection("Invalid order payload")


class OrderReader:
    """Reads and checks orders against the listed markets."""

    def __init__(self, directory: MarketDirectory, catalog: SimulatedCatalog, checker: SignatureChecker) -> None:
        self._directory = directory
        self._catalog = catalog
        self._checker = checker

    def enter(self, body: bytes | msgspec.Raw, key: IssuedKey) -> EnteredOrder | OrderRejection:
        """Return the order in ``body`` that came with ``key``, or why it is not taken."""
        try:
            payload = _read_place(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _INVALID
        order = payload.order
        fields = read_fields(order)
        if fields is None or payload.order_type not in (*_RESTING, *_TAKING):
            return _INVALID
        if payload.owner != key.key:
            return OrderRejection("the order owner has to be the owner of the API KEY")
        if not _is_signer_of_key(fields, key):
            return OrderRejection("the order signer address has to be the address of the API KEY")
        token = self._catalog.by_token(order.token_id)
        listing = None if token is None else self._directory.listing(token.row.key)
        if token is None or listing is None:
            return OrderRejection(f"the orderbook {order.token_id[:80]} does not exist")
        exchange = EXCHANGE_V3 if token.row.version == "v2" else NEG_RISK if token.row.neg_risk else STANDARD
        signature = hex_bytes(order.signature) or b""
        if self._checker.order_signer(exchange, fields, signature) != key.address:
            return OrderRejection("invalid signature")
        order_id = f"0x{self._checker.order_id(exchange, fields).hex()}"
        entered = _entered(payload, fields, EnteredTarget(order_id, key, token, listing))
        return entered._replace(maker=checksummed(fields.maker, self._checker.keccak))


class EnteredTarget(NamedTuple):
    """What an order is about: its id, the key that it came with, and its market."""

    order_id: str
    key: IssuedKey
    token: ListedToken
    listing: InstrumentListing


def _entered(payload: PlacePayload, fields: OrderFields, target: EnteredTarget) -> EnteredOrder:
    is_buy, takes = fields.side == 0, payload.order_type in _TAKING
    shares = fields.taker_amount if is_buy else fields.maker_amount
    return EnteredOrder(
        target.order_id,
        target.key,
        "",
        target.token,
        target.listing,
        is_buy=is_buy,
        price=stated_price(fields),
        size=Size(shares),
        dollars=fields.maker_amount if is_buy and takes else 0,
        order_type=payload.order_type,
        expiration=int(payload.order.expiration),
        post_only=payload.post_only,
    )


def read_fields(order: OrderPayload) -> OrderFields | None:
    """Return what an order signs, None where it has not the form of an order."""
    maker, signer = address_bytes(order.maker), address_bytes(order.signer)
    metadata, builder = hex_bytes(order.metadata), hex_bytes(order.builder)
    numbers = (order.token_id, order.maker_amount, order.taker_amount, order.timestamp, order.expiration)
    if not all(text.isascii() and text.isdigit() and len(text) <= 78 for text in numbers):
        return None
    token_id, given, wanted, timestamp = (int(text) for text in numbers[:4])
    if maker is None or signer is None or order.side not in ("BUY", "SELL") or order.signature_type not in range(4):
        return None
    if metadata is None or builder is None or len(metadata) != 32 or len(builder) != 32:
        return None
    if not (0 < token_id <= TOKEN_ID_MAX and 0 <= order.salt < _UINT256 and 0 < given < 1 << 80 > wanted > 0):
        return None
    side = 0 if order.side == "BUY" else 1
    return OrderFields(
        order.salt, maker, signer, token_id, given, wanted, side, order.signature_type, timestamp, metadata, builder
    )


def stated_price(fields: OrderFields) -> Price:
    """Return the price (micros) that two amounts mean: their quotient, to the finest tick, in the maker's disfavour.

    Amounts are rounded in the maker's favour, so a buy's quotient is not below its price and a sale's not above it.
    """
    if fields.side == 0:
        return Price(fields.maker_amount * MICROS // fields.taker_amount // _FINEST_TICK * _FINEST_TICK)
    return Price(-(-fields.taker_amount * MICROS // (fields.maker_amount * _FINEST_TICK)) * _FINEST_TICK)


def rejection(order: EnteredOrder, now: int) -> OrderRejection | None:
    """Return why the venue does not take an order that is well signed, None when it does; ``now`` in ns UTC.

    Whether it can be paid and whether a post-only order would trade is decided with the book.
    """
    market = order.listing.market
    if market.status != "active":
        text = "the market is not yet ready to process new orders"
        return OrderRejection(text if market.status == "created" else "the market is closed")
    tick = market.tick_size
    if order.price % tick or not tick <= order.price <= MICROS - tick:
        price, least = format_micros(order.price), format_micros(tick)
        text = f"order {order.order_id} is invalid. Price ({price}) breaks minimum tick size rule: {least}"
        return OrderRejection(text)
    if order.post_only and not order.is_resting:
        return _INVALID
    if not _is_expiration_allowed(order, now):
        return OrderRejection("invalid expiration")
    return _size_rejection(order) or _accuracy_rejection(order)


def _is_signer_of_key(fields: OrderFields, key: IssuedKey) -> bool:
    """Return whether an order names the right signer; that of a deposit wallet is the wallet itself."""
    if fields.signature_type == DEPOSIT_WALLET:
        return fields.signer == fields.maker
    return fields.signer == key.address and (fields.signature_type != EOA or fields.maker == key.address)


def _is_expiration_allowed(order: EnteredOrder, now: int) -> bool:
    if order.order_type != "GTD":
        return order.expiration == 0
    return order.expiration >= now // _NS_PER_S + EXPIRATION_S_MIN


def _size_rejection(order: EnteredOrder) -> OrderRejection | None:
    if order.dollars:
        if order.dollars >= TAKER_BUY_MIN:
            return None
        return OrderRejection(
            f"invalid amount for a marketable BUY order (${format_micros(order.dollars)}), min size: $1"
        )
    least = order.listing.market.min_order_size
    is_worth_it = not order.is_resting and order.price * order.size >= TAKER_BUY_MIN * MICROS
    if order.size >= least or is_worth_it:
        return None
    return OrderRejection(
        f"order {order.order_id} is invalid. Size ({format_micros(order.size)}) lower than the minimum: "
        f"{format_micros(least)}"
    )


def _accuracy_rejection(order: EnteredOrder) -> OrderRejection | None:
    if not order.dollars or (order.dollars % _CENT == 0 and order.size % _FINEST_TICK == 0):
        return None
    return OrderRejection(
        "invalid amounts, the market buy orders maker amount supports a max accuracy of 2 decimals, "
        "taker amount a max of 4 decimals"
    )


def fee_of(order: EnteredOrder, price: Price, size: Size) -> int:
    """Return the fee (micros) for taking ``size`` at ``price`` with ``order``."""
    return taker_fee(order.listing.market.fee, price, size, "buy" if order.is_buy else "sell")
