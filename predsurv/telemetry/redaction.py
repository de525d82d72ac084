"""Take secrets out of text, in whatever spelling they got there.

Kept apart from logging because anything that shows text to people can use it.
"""

import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote

REDACTED: Final = "***"

_PREFIX: Final = 6
_SHORTEST: Final = 8
_ARMOUR = re.compile(r"-----(?:BEGIN|END)[^-]*-----")

# Whatever names itself a secret, and anything shaped like a private key or a bearer token.
_NAMED = re.compile(
    r"""(?ix)
    ((?:private_?key|api_?key|secret|passphrase|password|signature|authorization|access-signature)
     ["']? \s* [:=] \s* (?:bearer\s+|basic\s+)? ["']?)
    [^\s"',;}]{4,}"""
)
_BEARER = re.compile(r"(?i)\b(bearer\s+)[A-Za-z0-9._~+/=-]{8,}")
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)


class Redactor:
    """Replaces known secrets, in plain, base64, hex and URL spelling, and what looks like one.

    A secret is found by its first 6 characters, so a shortened one is found too; the rest of the
    word goes with it.
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
    # Whole, line by line for keys that have several, and without the mark of a hexadecimal number.
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
