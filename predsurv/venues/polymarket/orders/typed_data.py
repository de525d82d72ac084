"""EIP-712 hashes of what is signed: orders, their envelope for deposit wallets, and the request for an API key.

Hash functions are arguments, because Keccak-256 comes from an optional library. Source: EIP-712, ERC-7739, and the type
strings of ``polymarket-client`` 0.14.0.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from predsurv.venues.polymarket.orders.exchanges import ExchangeContract

Hash = Callable[[bytes], bytes]
"""Keccak-256."""

ORDER_TYPE: Final = (
    b"Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,"
    b"uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)"
)
_DOMAIN_TYPE: Final = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_ENVELOPE_TYPE: Final = (
    b"TypedDataSign(Order contents,string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
    + ORDER_TYPE
)
_LOGIN_DOMAIN_TYPE: Final = b"EIP712Domain(string name,string version,uint256 chainId)"
_LOGIN_TYPE: Final = b"ClobAuth(address address,string timestamp,uint256 nonce,string message)"
_LOGIN_MESSAGE: Final = b"This message attests that I control the given wallet"
_NONE: Final = bytes(32)


class OrderFields(NamedTuple):
    """The fields of an order that are signed. Addresses are 20 bytes, ``side`` 0 buys and 1 sells, ``timestamp`` is ms.

    ``metadata`` and ``builder`` are 32 bytes.
    """

    salt: int
    maker: bytes
    signer: bytes
    token_id: int
    maker_amount: int
    taker_amount: int
    side: int
    signature_type: int
    timestamp: int
    metadata: bytes = _NONE
    builder: bytes = _NONE


class OrderHasher:
    """Hashes the orders of one exchange; what does not change from order to order is hashed once."""

    def __init__(self, keccak: Hash, exchange: ExchangeContract) -> None:
        self._keccak = keccak
        self._chain = _word(exchange.chain_id)
        self._order_type = keccak(ORDER_TYPE)
        self._envelope_type = keccak(_ENVELOPE_TYPE)
        self._wallet_names = keccak(b"DepositWallet") + keccak(b"1")
        contract = bytes.fromhex(exchange.address[2:])
        self.domain: Final = keccak(
            keccak(_DOMAIN_TYPE)
            + keccak(b"Polymarket CTF Exchange")
            + keccak(exchange.version.encode())
            + self._chain
            + _address(contract)
        )
        self._prefix = b"\x19\x01" + self.domain

    def contents(self, fields: OrderFields) -> bytes:
        """Return the hash of the order's struct, without the exchange."""
        return self._keccak(
            self._order_type
            + _word(fields.salt)
            + _address(fields.maker)
            + _address(fields.signer)
            + _word(fields.token_id)
            + _word(fields.maker_amount)
            + _word(fields.taker_amount)
            + _word(fields.side)
            + _word(fields.signature_type)
            + _word(fields.timestamp)
            + fields.metadata
            + fields.builder
        )

    def order_id(self, contents: bytes) -> bytes:
        """Return the hash by which the venue knows an order of these ``contents``; wallets of one key sign it, too."""
        return self._keccak(self._prefix + contents)

    def envelope(self, contents: bytes, wallet: bytes) -> bytes:
        """Return what the owner of a deposit ``wallet`` signs instead: the order, bound to that wallet (ERC-7739)."""
        bound = self._keccak(
            self._envelope_type + contents + self._wallet_names + self._chain + _address(wallet) + _NONE
        )
        return self._keccak(self._prefix + bound)

    def trailer(self, contents: bytes) -> bytes:
        """Return what follows the signature of an envelope, so that the wallet can verify it."""
        return self.domain + contents + ORDER_TYPE + len(ORDER_TYPE).to_bytes(2)


def login_digest(keccak: Hash, address: bytes, *, timestamp: int, nonce: int, chain_id: int) -> bytes:
    """Return what is signed to create or derive an API key; ``timestamp`` in seconds since 1970."""
    domain = keccak(keccak(_LOGIN_DOMAIN_TYPE) + keccak(b"ClobAuthDomain") + keccak(b"1") + _word(chain_id))
    message = keccak(
        keccak(_LOGIN_TYPE)
        + _address(address)
        + keccak(str(timestamp).encode())
        + _word(nonce)
        + keccak(_LOGIN_MESSAGE)
    )
    return keccak(b"\x19\x01" + domain + message)


def _word(value: int) -> bytes:
    return value.to_bytes(32)


def _address(value: bytes) -> bytes:
    return bytes(12) + value
