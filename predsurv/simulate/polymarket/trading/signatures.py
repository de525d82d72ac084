"""Who signed: recovers addresses from the signatures of logins and orders, as the venue and its contracts do.

The hashes are those of the adapter; that they are the venue's is proved by its own clients, which trade here.
"""

from collections.abc import Callable
from typing import Final

from predsurv.core.errors import ConfigError
from predsurv.venues.polymarket.orders.ethereum_key import EXTRA_MISSING, load_keccak
from predsurv.venues.polymarket.orders.exchanges import POLYGON, ExchangeContract
from predsurv.venues.polymarket.orders.signing import DEPOSIT_WALLET
from predsurv.venues.polymarket.orders.typed_data import OrderFields, OrderHasher, login_digest

_SIGNATURE_BYTES: Final = 65
_V_BASE: Final = 27


class SignatureChecker:
    """Recovers signers; ``keccak`` is the hash function."""

    def __init__(self) -> None:
        """Raises ConfigError where the extra ``live`` is missing."""
        self.keccak = load_keccak()
        self._recover = _load_recover()
        self._hashers: dict[ExchangeContract, OrderHasher] = {}

    def login_signer(self, address: bytes, signature: bytes, *, timestamp: int, nonce: int) -> bytes | None:
        """Return the address that signed a request for an API key, None for no signature."""
        digest = login_digest(self.keccak, address, timestamp=timestamp, nonce=nonce, chain_id=POLYGON)
        return self.signer(digest, signature)

    def order_id(self, exchange: ExchangeContract, fields: OrderFields) -> bytes:
        """Return the hash of an order, which is its id."""
        hasher = self._hasher(exchange)
        return hasher.order_id(hasher.contents(fields))

    def order_signer(self, exchange: ExchangeContract, fields: OrderFields, signature: bytes) -> bytes | None:
        """Return the address whose key signed an order for ``exchange``, None where the signature is none.

        The signature of a deposit wallet is that of its owner, followed by what it was bound to.
        """
        hasher = self._hasher(exchange)
        contents = hasher.contents(fields)
        if fields.signature_type != DEPOSIT_WALLET:
            return self.signer(hasher.order_id(contents), signature)
        if signature[_SIGNATURE_BYTES:] != hasher.trailer(contents):
            return None
        return self.signer(hasher.envelope(contents, fields.signer), signature[:_SIGNATURE_BYTES])

    def signer(self, digest: bytes, signature: bytes) -> bytes | None:
        """Return the address that signed ``digest`` with r, s and v, None where the signature is none."""
        if len(signature) != _SIGNATURE_BYTES or signature[64] - _V_BASE not in (0, 1):
            return None
        public = self._recover(signature[:64] + bytes((signature[64] - _V_BASE,)), digest)
        return None if public is None else self.keccak(public)[-20:]

    def _hasher(self, exchange: ExchangeContract) -> OrderHasher:
        hasher = self._hashers.get(exchange)
        if hasher is None:
            hasher = self._hashers[exchange] = OrderHasher(self.keccak, exchange)
        return hasher


def _load_recover() -> Callable[[bytes, bytes], bytes | None]:
    """Return a function from a signature and a digest to the 64 bytes of the public key."""
    try:
        from coincurve import PublicKey
    except ImportError:
        raise ConfigError(EXTRA_MISSING) from None

    def recover(signature: bytes, digest: bytes) -> bytes | None:
        try:
            return PublicKey.from_signature_and_message(signature, digest, hasher=None).format(compressed=False)[1:]
        except ValueError:
            return None

    return recover
