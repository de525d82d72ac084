"""Redaction of secrets in text: known ones in several encodings, and what looks like one."""

import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote

REDACTED: Final = "***"

_PREFIX: Final = 6
_SHORTEST: Final = 8
_ARMOUR = re.compile(r"-----(?:BEGIN|END)[^-]*-----")

# Values after a name of a secret, bearer tokens, and private keys in PEM.
_NAMED = re.compile(
    r"""(?ix)
    ((?:private_?key|api_?key|secret|passphrase|password|signature|authorization|access-signature)
     ["']? \s* [:=] \s* (?:bearer\s+|basic\s+)? ["']?)
    [^\s"',;}]{4,}"""
)
_BEARER = re.compile(r"(?i)\b(bearer\s+)[A-Za-z0-9._~+/=-]{8,}")
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)


class Redactor:
    """Replaces known secrets (plain, base64, hex or URL-encoded) and what looks like a secret by ``***``.

    A secret is found by its first 6 characters, so that a truncated one is found too; the rest of the word is
    replaced with it. Secrets shorter than 8 characters are not searched for.
    """

    __slots__ = ("_known",)

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        spellings = {spelling[:_PREFIX] for secret in secrets for spelling in _spellings(secret)}
        alternatives = "|".join(map(re.escape, sorted(spellings)))
        self._known = re.compile(rf"(?i:{alternatives})[^\s\"',;]*") if alternatives else None

    def __call__(self, text: str) -> str:
        """Return ``text`` without secrets."""
        text = _PEM.sub(REDACTED, text)
        if self._known is not None:
            text = self._known.sub(REDACTED, text)
        return _BEARER.sub(rf"\1{REDACTED}", _NAMED.sub(rf"\1{REDACTED}", text))


def _spellings(secret: str) -> Iterator[str]:
    # The whole secret, each line of a key that has several, and each without the prefix 0x.
    lines = _ARMOUR.sub("", secret).split()
    for text in (secret.strip(), *lines, *(line.removeprefix("0x") for line in lines)):
        if len(text) < _SHORTEST:
            continue
        raw = text.encode()
        yield b64encode(raw).decode()
        yield urlsafe_b64encode(raw).decode()
        yield raw.hex()
        if not text.startswith("0x"):
            yield text
            yield quote(text, safe="")
