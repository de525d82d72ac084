"""The private key that signs orders: read once, never shown; the only user of the optional signing libraries.

Signatures are deterministic (RFC 6979) with a small s, as the exchange's contract wants them.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple, NoReturn, Protocol

from predsurv.config import Secret, read_secret
from predsurv.core.errors import ConfigError
from predsurv.venues.polymarket.orders.typed_data import Hash

PRIVATE_KEY: Final = "PREDSURV_POLYMARKET_PRIVATE_KEY"
EXTRA_MISSING: Final = (
    "orders on Polymarket are signed with libraries that are not installed: pip install 'predsurv[live]'"
)

_HEX_KEY = re.compile(r"(?:0x)?([0-9a-fA-F]{64})\Z")
_HEX_ADDRESS = re.compile(r"0x([0-9a-fA-F]{40})\Z")


class _SigningKey(Protocol):
    """Of coincurve's ``PrivateKey`` what is used here."""

    def sign_recoverable(self, message: bytes, hasher: None) -> bytes: ...


class EthereumKey:
    """Signs digests of 32 bytes. ``address`` is the 20 bytes of its account, ``keccak`` the hash function to use."""

    __slots__ = ("_key", "address", "keccak")

    def __init__(self, private_key: Secret) -> None:
        """Read 32 bytes of hex, with or without 0x; raises ConfigError, also where the extra ``live`` is missing."""
        self.keccak = load_keccak()
        loaded = _load(private_key)
        if isinstance(loaded, str):
            raise ConfigError(loaded)
        self._key = loaded.key
        self.address = self.keccak(loaded.public)[-20:]

    def sign(self, digest: bytes) -> bytes:
        """Return r, s and v (27 or 28): 65 bytes."""
        signature = self._key.sign_recoverable(digest, None)
        return signature[:64] + bytes((signature[64] + 27,))

    def __repr__(self) -> str:
        return "EthereumKey(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is never pickled or copied")


def load_key(environ: Mapping[str, str] | None = None) -> EthereumKey | None:
    """Return the key in the environment or in the file that it names, None without one; raises ConfigError."""
    secret = read_secret(PRIVATE_KEY, environ)
    return None if secret is None else EthereumKey(secret)


def load_keccak() -> Hash:
    """Return Keccak-256; raises ConfigError where the extra ``live`` is missing."""
    try:
        from Crypto.Hash import keccak
    except ImportError:
        raise ConfigError(EXTRA_MISSING) from None
    new = keccak.new
    return lambda data: new(data=data, digest_bits=256).digest()


def checksummed(address: bytes, keccak: Hash) -> str:
    """Return an address as text with the checksum in its letters (EIP-55)."""
    plain = address.hex()
    bits = keccak(plain.encode()).hex()
    return "0x" + "".join(char.upper() if int(bit, 16) >= 8 else char for char, bit in zip(plain, bits, strict=False))


def parse_address(text: str, what: str) -> bytes:
    """Return the 20 bytes of an address in ``0x`` form; raises ConfigError that names ``what`` it is of."""
    found = _HEX_ADDRESS.match(text)
    if found is None:
        raise ConfigError(f"{what} is not an address: 0x and 40 hexadecimal digits")
    return bytes.fromhex(found[1])


class _LoadedKey(NamedTuple):
    """A key, and the 64 bytes of its public key."""

    key: _SigningKey
    public: bytes


def _load(private_key: Secret) -> _LoadedKey | str:
    """Return the key, or why there is none. It raises nothing: a traceback with local variables would show the key."""
    try:
        from coincurve import PrivateKey
    except ImportError:
        return EXTRA_MISSING
    found = _HEX_KEY.match(private_key.reveal())
    if found is None:
        return f"{PRIVATE_KEY}: not a private key of 64 hexadecimal digits"
    try:
        key = PrivateKey(bytes.fromhex(found[1]))
    except ValueError:
        return f"{PRIVATE_KEY}: no key of this curve"
    return _LoadedKey(key, key.public_key.format(compressed=False)[1:])
