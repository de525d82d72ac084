"""A generated API key that is written to a private file and verifies signatures.

It shares no code with the adapter's ``auth``, because a mistake in both would cancel out.
"""

import os
from base64 import b64decode
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

_STAMP_DIGITS_MAX: Final = 16
TOLERANCE: Final = 30_000_000_000
"""Most difference (ns) between a request's timestamp and the clock; the venue does not publish its own."""

KeyType = Literal["rsa", "ed25519"]


class ThrowawayKey:
    """A new key pair and its key id."""

    def __init__(self, kind: KeyType = "rsa") -> None:
        self._key: RSAPrivateKey | Ed25519PrivateKey
        self._key = Ed25519PrivateKey.generate() if kind == "ed25519" else generate_private_key(65_537, 2_048)
        public = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        digest = sha256(public).hexdigest()
        self.key_id = "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))

    def write(self, path: Path) -> None:
        """Write the private key to a new file that only its owner can read; raises OSError."""
        form = PrivateFormat.PKCS8 if isinstance(self._key, Ed25519PrivateKey) else PrivateFormat.TraditionalOpenSSL
        body = self._key.private_bytes(Encoding.PEM, form, NoEncryption())
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)

    def accepts(self, headers: Mapping[str, str], method: str, path: str, now: int) -> bool:
        """Return whether ``headers`` have a valid signature of ``method`` and ``path`` at ``now`` (ns UTC).

        Header names in lower case; the signed timestamp may differ from ``now`` by ``TOLERANCE``.
        """
        stamp = headers.get("kalshi-access-timestamp", "")
        if headers.get("kalshi-access-key") != self.key_id:
            return False
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) < _STAMP_DIGITS_MAX):
            return False
        if abs(int(stamp) * 1_000_000 - now) > TOLERANCE:
            return False
        message = f"{stamp}{method}{path}".encode()
        try:
            self._verify(b64decode(headers.get("kalshi-access-signature", ""), validate=True), message)
        except (InvalidSignature, ValueError):
            return False
        return True

    def _verify(self, signature: bytes, message: bytes) -> None:
        if isinstance(self._key, Ed25519PrivateKey):
            self._key.public_key().verify(signature, message)
        else:
            self._key.public_key().verify(signature, message, PSS(MGF1(SHA256()), 32), SHA256())
