"""From a command to a signed order: its fields, the hash by which the venue will know it, and its signature.

Time and randomness are arguments, so the same arguments give the same bytes.
"""

from typing import Final, NamedTuple

from predsurv.core.errors import BrokenInvariant, ConfigError
from predsurv.core.ids import OrderId
from predsurv.core.num import Price
from predsurv.core.orders import RESTING, PlaceOrder, TimeInForce
from predsurv.venues.polymarket.orders.amounts import OrderAmounts, order_amounts
from predsurv.venues.polymarket.orders.ethereum_key import EthereumKey, checksummed, parse_address
from predsurv.venues.polymarket.orders.exchanges import ExchangeContract, exchange_of
from predsurv.venues.polymarket.orders.typed_data import OrderFields, OrderHasher
from predsurv.venues.requests import OrderRefusal

SALTS: Final = 1 << 53
"""A salt is below this: it is sent as a number of JSON, which others may read as a double."""
EXPIRY_MARGIN_S: Final = 60
"""The venue ends an order this long before the expiration that it was sent with."""
EXPIRATION_S_MIN: Final = 180
"""How far ahead an expiration has to be at least."""

EOA: Final = 0
PROXY: Final = 1
SAFE: Final = 2
DEPOSIT_WALLET: Final = 3

_TOKEN_DIGITS_MAX: Final = 78  # of 256 bits
_NS: Final = 1_000_000_000
_NS_PER_MS: Final = 1_000_000
_ORDER_TYPES: Final[dict[TimeInForce, str]] = {"gtc": "GTC", "gtd": "GTD", "ioc": "FAK", "fok": "FOK"}


class Wallet(NamedTuple):
    """Who owns the money (``maker``) and whom an order names as its ``signer``; 20 bytes each."""

    signature_type: int
    maker: bytes
    signer: bytes


class MarketTerms(NamedTuple):
    """What of its market decides how an order is signed; ``tick_size`` in micros, ``version`` as it is listed."""

    tick_size: Price
    version: str
    neg_risk: bool


class SignedOrder(NamedTuple):
    """An order as it is sent. ``order_id`` is known before sending: the same order is never sent twice.

    ``expiration`` in seconds since 1970, 0 for none; it is not part of what is signed. ``signature`` is hex with 0x.
    """

    order_id: OrderId
    fields: OrderFields
    signature: str
    order_type: str
    expiration: int
    post_only: bool
    amounts: OrderAmounts
    exchange: str


def wallet_of(signature_type: int, funder: str, key: EthereumKey) -> Wallet:
    """Return the wallet that the configuration names; raises ConfigError where type and ``funder`` do not go together.

    Types: 0 the key's own account (no funder, or the same), 1 a proxy wallet (e-mail), 2 a Safe (browser wallet), 3 a
    deposit wallet, which is maker and signer of its orders while its owner's key signs an envelope around them.
    """
    if signature_type not in (EOA, PROXY, SAFE, DEPOSIT_WALLET):
        raise ConfigError(f"venues.polymarket.signature_type {signature_type} is not 0, 1, 2 or 3")
    if signature_type == EOA:
        if funder and parse_address(funder, "venues.polymarket.funder") != key.address:
            raise ConfigError("venues.polymarket.funder is not the key's own account: signature_type 0 has no other")
        return Wallet(EOA, key.address, key.address)
    if not funder:
        raise ConfigError(f"venues.polymarket.funder is empty: signature_type {signature_type} needs a wallet address")
    owner = parse_address(funder, "venues.polymarket.funder")
    if owner == key.address:
        raise ConfigError("venues.polymarket.funder is the key's own account: that is signature_type 0")
    return Wallet(signature_type, owner, owner if signature_type == DEPOSIT_WALLET else key.address)


class OrderSigner:
    """Signs the orders of one wallet, on whichever exchange."""

    def __init__(self, key: EthereumKey, wallet: Wallet) -> None:
        self._key = key
        self._hashers: dict[ExchangeContract, OrderHasher] = {}
        self.wallet: Final = wallet
        self.maker: Final = checksummed(wallet.maker, key.keccak)
        self.signer: Final = checksummed(wallet.signer, key.keccak)

    def order(self, command: PlaceOrder, market: MarketTerms, *, now: int, salt: int) -> SignedOrder | OrderRefusal:
        """Return ``command`` as a signed order, or why not; ``now`` in ns UTC, ``salt`` random below ``SALTS``."""
        text = command.key.instrument_id
        if not (text.isascii() and text.isdigit() and len(text) <= _TOKEN_DIGITS_MAX):
            return OrderRefusal("not_ours", "not a token id")
        token_id = int(text)
        exchange = exchange_of(market.version, neg_risk=market.neg_risk, token_id=token_id)
        if isinstance(exchange, OrderRefusal):
            return exchange
        amounts = order_amounts(command.side, command.price, command.size, tick_size=market.tick_size, tif=command.tif)
        if isinstance(amounts, OrderRefusal):
            return amounts
        if command.post_only and command.tif not in RESTING:
            return OrderRefusal("post_only", f"an order that is {command.tif} cannot be post-only")
        expiration = _expiration(command, now)
        if isinstance(expiration, OrderRefusal):
            return expiration
        fields = self._fields(command, amounts, token_id=token_id, timestamp=now // _NS_PER_MS, salt=salt)
        order_id, signature = self.sign(exchange, fields)
        kind = _ORDER_TYPES[command.tif]
        return SignedOrder(order_id, fields, signature, kind, expiration, command.post_only, amounts, exchange.name)

    def sign(self, exchange: ExchangeContract, fields: OrderFields) -> "HashAndSignature":
        """Return the order's hash and its signature, both as hex with 0x."""
        hasher = self._hashers.get(exchange)
        if hasher is None:
            hasher = self._hashers[exchange] = OrderHasher(self._key.keccak, exchange)
        contents = hasher.contents(fields)
        order_id = hasher.order_id(contents)
        if fields.signature_type == DEPOSIT_WALLET:
            signature = self._key.sign(hasher.envelope(contents, fields.signer)) + hasher.trailer(contents)
        else:
            signature = self._key.sign(order_id)
        return HashAndSignature(OrderId(f"0x{order_id.hex()}"), f"0x{signature.hex()}")

    def _fields(
        self, command: PlaceOrder, amounts: OrderAmounts, *, token_id: int, timestamp: int, salt: int
    ) -> OrderFields:
        if not 0 <= salt < SALTS:
            raise BrokenInvariant(f"a salt of {salt.bit_length()} bits: 53 are the most")
        return OrderFields(
            salt,
            self.wallet.maker,
            self.wallet.signer,
            token_id,
            amounts.maker,
            amounts.taker,
            0 if command.side == "buy" else 1,
            self.wallet.signature_type,
            timestamp,
        )


class HashAndSignature(NamedTuple):
    """An order's hash, which is its id, and its signature."""

    order_id: OrderId
    signature: str


def _expiration(command: PlaceOrder, now: int) -> int | OrderRefusal:
    """Return the expiration (s since 1970) with which the venue ends the order when the command says so, 0 for none."""
    if command.tif != "gtd":
        return 0 if command.expires is None else OrderRefusal("expiration", f"{command.tif} orders do not expire")
    if command.expires is None:
        return OrderRefusal("expiration", "an order good till a time needs the time")
    expiration = command.expires // _NS + EXPIRY_MARGIN_S
    if expiration < -(-now // _NS) + EXPIRATION_S_MIN:
        least = EXPIRATION_S_MIN - EXPIRY_MARGIN_S
        return OrderRefusal("expiration", f"the venue keeps no order for less than {least} s")
    return expiration
