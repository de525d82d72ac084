"""The head of an HTTP/1.1 request as bytes: what cannot stand in one is refused, never escaped (RFC 9112)."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

_FIELD: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+: (?:[!-~](?:[\t -~]*[!-~])?)?")
_VISIBLE: Final = re.compile(r"[!-~]+")
_WITH_LENGTH: Final = frozenset({"POST", "PUT"})


def request_head(method: str, url: str, headers: Mapping[str, str], body_bytes: int) -> bytes:
    """Return the head of a request for ``url`` whose body has ``body_bytes``, with its empty line.

    Host and length are added to ``headers``; whoever gives these gets them twice. Raises ValueError for what is not
    printable ASCII, or begins or ends with a blank.
    """
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not _VISIBLE.fullmatch(method) or not _VISIBLE.fullmatch(target):
        raise ValueError("illegal characters in a request: printable ASCII without blanks is needed")
    fields = [f"Host: {parts.netloc.rpartition('@')[2]}", *(f"{name}: {value}" for name, value in headers.items())]
    for field in fields:
        if not _FIELD.fullmatch(field):
            raise ValueError(f"illegal characters in the header {field.partition(':')[0]!a}")
    if body_bytes or method in _WITH_LENGTH:
        fields.append(f"Content-Length: {body_bytes}")
    return "\r\n".join((f"{method} {target} HTTP/1.1", *fields, "\r\n")).encode("ascii")
