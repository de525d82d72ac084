"""API keys: read from a private file, used to sign, never shown.

The only module of this venue that holds a secret.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Final, NoReturn, Protocol
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from predsurv.config import Secret, read_secret
from predsurv.core.errors import ConfigError
from predsurv.ports import Clock

KEY_ID: Final = "PREDSURV_KALSHI_KEY_ID"
PRIVATE_KEY: Final = "PREDSURV_KALSHI_PRIVATE_KEY"

_SALT_BYTES: Final = 32
_RSA_BITS_MIN: Final = 2_048
_MS: Final = 1_000_000
_ID = re.compile(r"[A-Za-z0-9-]{8,128}\Z")


class SignFunction(Protocol):
    """Signs bytes with a private key."""

    def __call__(self, message: bytes, /) -> bytes: ...


class RequestSigner:
    """Makes the headers of one request; they are dated by ``clock``, so each retry needs new ones."""

    __slots__ = ("_clock", "_key_id", "_sign")

    def __init__(self, key_id: Secret, private_key: Secret, clock: Clock) -> None:
        """Read the key (PEM, PKCS #1 or PKCS #8, RSA or Ed25519); raises ConfigError."""
        if not _ID.match(key_id.reveal()):
            raise ConfigError(f"{KEY_ID} does not look like a key id; copy it from Kalshi's API key page")
        self._key_id = key_id
        self._sign = _signing(private_key)
        self._clock = clock

    def headers(self, method: str, url: str) -> Mapping[str, str]:
        """Return the headers that sign ``method`` and the path of ``url``, as of now."""
        stamp = str(self._clock.now() // _MS)
        signature = self._sign(f"{stamp}{method}{urlsplit(url).path}".encode())
        return {
            "KALSHI-ACCESS-KEY": self._key_id.reveal(),
            "KALSHI-ACCESS-TIMESTAMP": stamp,
            "KALSHI-ACCESS-SIGNATURE": b64encode(signature).decode(),
        }

    def __repr__(self) -> str:
        return "RequestSigner(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer is never pickled or copied")


def load_signer(clock: Clock, environ: Mapping[str, str] | None = None) -> RequestSigner | None:
    """Return the signer for the key in the environment, None without one; raises ConfigError."""
    key_id, private_key = read_secret(KEY_ID, environ), read_secret(PRIVATE_KEY, environ)
    if key_id is None and private_key is None:
        return None
    if key_id is None or private_key is None:
        there, missing = (KEY_ID, f"{PRIVATE_KEY}_FILE") if key_id else (f"{PRIVATE_KEY}_FILE", KEY_ID)
        raise ConfigError(f"{there} is set but {missing} is not; set both, or neither to go without a key")
    return RequestSigner(key_id, private_key, clock)


def _signing(private_key: Secret) -> SignFunction:
    try:
        key = load_pem_private_key(private_key.reveal().encode(), password=None)
    except TypeError:
        raise _unfit("is protected by a password; export it without one") from None
    except (ValueError, UnsupportedAlgorithm):
        # The message of the library may quote the key.
        raise _unfit("is not a private key in PEM form; use the file as Kalshi gave it") from None
    if isinstance(key, Ed25519PrivateKey):
        return key.sign
    if isinstance(key, RSAPrivateKey) and key.key_size >= _RSA_BITS_MIN:
        return _pss(key)
    raise _unfit(f"is neither an Ed25519 key nor an RSA key of at least {_RSA_BITS_MIN} bits")


def _pss(key: RSAPrivateKey) -> Callable[[bytes], bytes]:
    padding, digest = PSS(MGF1(SHA256()), _SALT_BYTES), SHA256()
    return lambda message: key.sign(message, padding, digest)


def _unfit(why: str) -> ConfigError:
    return ConfigError(f"{PRIVATE_KEY}_FILE: what it holds {why}")
