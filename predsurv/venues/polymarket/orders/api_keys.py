"""API keys: how one is asked for with the private key (L1), and how it proves each private request (L2).

Source: the venue's documentation on authentication and ``polymarket-client`` 0.14.0. Times are arguments: a repeated
request is proved anew.
"""

import binascii
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Final, NoReturn

import msgspec
from msgspec import Struct

from predsurv.config import Secret
from predsurv.core.errors import WireError
from predsurv.venues.polymarket.orders.ethereum_key import EthereumKey, checksummed
from predsurv.venues.polymarket.orders.exchanges import POLYGON
from predsurv.venues.polymarket.orders.typed_data import login_digest
from predsurv.venues.requests import PrivateHeaders, VenueRequest

CREATE_KEY: Final = VenueRequest("POST", "/auth/api-key")
DERIVE_KEY: Final = VenueRequest("GET", "/auth/derive-api-key")
"""Asked first: it answers with the key that exists already."""

_TEXT_CHARS_MAX: Final = 512


class _KeyBody(Struct, gc=False, rename="camel"):
    """``{"apiKey":"0191…","secret":"base64url","passphrase":"hex"}``."""

    api_key: str
    secret: str
    passphrase: str


class ApiKey:
    """Key, secret and passphrase of one account at the CLOB; none of them is ever shown."""

    __slots__ = ("_hmac_key", "_key", "_passphrase", "_secret", "address")

    def __init__(self, key: Secret, secret: Secret, passphrase: Secret, *, address: str) -> None:
        """Take what the venue gave to the account of ``address`` (checksummed); raises WireError for no base64."""
        self._hmac_key = _decoded(secret)
        if not self._hmac_key:
            raise WireError("the secret of an API key is not base64")
        self._key, self._secret, self._passphrase, self.address = key, secret, passphrase, address

    @property
    def owner(self) -> Secret:
        """The key itself, which names the owner of an order."""
        return self._key

    def headers(self, request: VenueRequest, *, timestamp: int) -> PrivateHeaders:
        """Return the headers that prove ``request``, dated ``timestamp`` (s since 1970); the query is not signed."""
        signed = f"{timestamp}{request.method}{request.path}".encode() + (request.body or b"")
        return PrivateHeaders(
            POLY_ADDRESS=self.address,
            POLY_API_KEY=self._key.reveal(),
            POLY_PASSPHRASE=self._passphrase.reveal(),
            POLY_TIMESTAMP=str(timestamp),
            POLY_SIGNATURE=urlsafe_b64encode(hmac.digest(self._hmac_key, signed, "sha256")).decode(),
        )

    def subscription(self, markets: Sequence[str] = ()) -> bytes:
        """Return the first frame of the user channel; without ``markets`` (condition ids) it tells of all."""
        body = _KeyBody(self._key.reveal(), self._secret.reveal(), self._passphrase.reveal())
        frame: dict[str, object] = {"type": "user", "auth": body}
        return msgspec.json.encode(frame | ({"markets": markets} if markets else {}))

    def __repr__(self) -> str:
        return "ApiKey(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an API key is never pickled or copied")


def read_api_key(body: bytes, *, address: str) -> ApiKey:
    """Return the key in the answer to ``CREATE_KEY`` or ``DERIVE_KEY``; raises WireError, which does not quote it."""
    parts = _parts(body)
    del body  # not even a traceback with local variables shows it
    if parts is None:
        raise WireError("the answer to a request for an API key holds none")
    return ApiKey(*parts, address=address)


def login_headers(key: EthereumKey, *, timestamp: int, nonce: int = 0, chain_id: int = POLYGON) -> PrivateHeaders:
    """Return the headers that ask for an API key with the private key; ``timestamp`` in seconds since 1970."""
    digest = login_digest(key.keccak, key.address, timestamp=timestamp, nonce=nonce, chain_id=chain_id)
    return PrivateHeaders(
        POLY_ADDRESS=checksummed(key.address, key.keccak),
        POLY_SIGNATURE=f"0x{key.sign(digest).hex()}",
        POLY_TIMESTAMP=str(timestamp),
        POLY_NONCE=str(nonce),
    )


def _parts(body: bytes) -> tuple[Secret, Secret, Secret] | None:
    """Return key, secret and passphrase, None where ``body`` does not hold them."""
    try:
        given = msgspec.json.decode(body, type=_KeyBody)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    parts = (given.api_key, given.secret, given.passphrase)
    if not all(0 < len(part) <= _TEXT_CHARS_MAX and part.isascii() and part.isprintable() for part in parts):
        return None
    return Secret(given.api_key), Secret(given.secret), Secret(given.passphrase)


def _decoded(secret: Secret) -> bytes:
    """Return the bytes of a secret, none where it is not base64; it raises nothing, as ``_parts`` does not."""
    text = secret.reveal()
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""
