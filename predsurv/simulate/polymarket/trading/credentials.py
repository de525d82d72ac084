"""API keys of the simulated CLOB: given for a signature of the private key (L1), and checked on private calls (L2)."""

import binascii
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Final, NamedTuple
from uuid import UUID

from msgspec import Struct

from predsurv.simulate.polymarket.trading.signatures import SignatureChecker
from predsurv.simulate.server import ServerRequest

CLOCK_TOLERANCE_S: Final = 60
"""How far the time that a request is dated with may be from the venue's. The real tolerance is not documented."""
_NS_PER_S: Final = 1_000_000_000
_NONCE_DIGITS_MAX: Final = 18


class IssuedKey(Struct, frozen=True):
    """An API key of ``address`` (20 bytes), made from ``nonce``."""

    address: bytes
    nonce: int
    key: str
    secret: str
    passphrase: str


class Login(NamedTuple):
    """A request for an API key whose signature was found good."""

    address: bytes
    nonce: int


class ApiKeyRegistry:
    """The keys that were given out; ``now`` returns the venue's time (ns UTC)."""

    def __init__(self, seed: int, checker: SignatureChecker, now: Callable[[], int]) -> None:
        self._seed = seed
        self._checker = checker
        self._now = now
        self._keys: dict[str, IssuedKey] = {}

    def login(self, headers: Mapping[str, str]) -> Login | None:
        """Return who asks for an API key by the L1 headers, None where they prove nothing."""
        address = address_bytes(headers.get("poly_address", ""))
        signature = hex_bytes(headers.get("poly_signature", ""))
        timestamp, nonce = headers.get("poly_timestamp", ""), headers.get("poly_nonce", "0")
        if address is None or signature is None or not self._is_timely(timestamp):
            return None
        if not (nonce.isascii() and nonce.isdigit() and len(nonce) <= _NONCE_DIGITS_MAX):
            return None
        signer = self._checker.login_signer(address, signature, timestamp=int(timestamp), nonce=int(nonce))
        return Login(address, int(nonce)) if signer == address else None

    def create(self, login: Login) -> IssuedKey | None:
        """Return a new key, None where there is one already."""
        made = self._make(login)
        return None if self._keys.setdefault(made.key, made) is not made else made

    def derive(self, login: Login) -> IssuedKey | None:
        """Return the key that was created for this address and nonce, None where there is none."""
        return self._keys.get(self._make(login).key)

    def revoke(self, issued: IssuedKey) -> None:
        """End a key."""
        self._keys.pop(issued.key, None)

    def of_address(self, address: bytes) -> list[str]:
        """Return the keys of an address."""
        return [each.key for each in self._keys.values() if each.address == address]

    def authenticated(self, request: ServerRequest) -> IssuedKey | None:
        """Return the key that proved ``request`` by the L2 headers, None where they prove nothing."""
        headers = request.headers
        issued = self._keys.get(headers.get("poly_api_key", ""))
        timestamp = headers.get("poly_timestamp", "")
        if issued is None or not self._is_timely(timestamp):
            return None
        path = request.target.partition("?")[0]
        signed = f"{timestamp}{request.method}{path}".encode() + request.body
        expected = urlsafe_b64encode(hmac.digest(urlsafe_b64decode(issued.secret), signed, "sha256")).decode()
        proved = (
            hmac.compare_digest(expected.encode(), headers.get("poly_signature", "").encode())
            and issued.passphrase == headers.get("poly_passphrase", "")
            and issued.address == address_bytes(headers.get("poly_address", ""))
        )
        return issued if proved else None

    def of_subscriber(self, key: str, secret: str, passphrase: str) -> IssuedKey | None:
        """Return the key that the first frame of the user channel proves."""
        issued = self._keys.get(key)
        if issued is None or (issued.secret, issued.passphrase) != (secret, passphrase):
            return None
        return issued

    def _make(self, login: Login) -> IssuedKey:
        digest = sha256(f"predsurv {self._seed} api key {login.nonce} ".encode() + login.address).digest()
        secret = urlsafe_b64encode(sha256(b"secret" + digest).digest()).decode()
        passphrase = sha256(b"passphrase" + digest).hexdigest()
        return IssuedKey(login.address, login.nonce, str(UUID(bytes=digest[:16], version=4)), secret, passphrase)

    def _is_timely(self, timestamp: str) -> bool:
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
            return False
        return abs(int(timestamp) - self._now() // _NS_PER_S) <= CLOCK_TOLERANCE_S


def address_bytes(text: str) -> bytes | None:
    """Return the 20 bytes of an address, None for another text."""
    found = hex_bytes(text)
    return found if found is not None and len(found) == 20 else None


def hex_bytes(text: str) -> bytes | None:
    """Return the bytes of ``0x…``, None for another text."""
    if not text.startswith("0x"):
        return None
    try:
        return binascii.unhexlify(text[2:])
    except (binascii.Error, ValueError):
        return None
