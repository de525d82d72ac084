"""Read what a server says when it does not give what was asked for.

Kept apart because HTTP and WebSocket handshakes fail with the same pages and headers, and none of
that text may reach a terminal as it came.
"""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

from predsurv.core.text import sanitise

SUMMARY_CHARS_MAX: Final = 120
RETRY_AFTER_MAX: Final = 300_000_000_000
"""Longest wait a server can talk us into, in ns."""

_NS: Final = 1_000_000_000
_LOOKED_AT: Final = 4_096
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{0,400})", re.IGNORECASE)
_HIDDEN = re.compile(r"<(script|style)\b.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*(?:>|\Z)")
_SPACE = re.compile(r"[\s�]+")
_SECONDS = re.compile(r"[0-9]{1,9}\Z", re.ASCII)


def summary(body: bytes) -> str:
    """Return at most 120 harmless characters that say what ``body`` is about.

    Of an HTML page the title, or its text without tags; of anything else its beginning.
    """
    text = body[:_LOOKED_AT].decode("utf-8", "replace")
    if text.lstrip().startswith("<"):
        title = _TITLE.search(text)
        text = title[1] if title and title[1].strip() else _TAG.sub(" ", _HIDDEN.sub(" ", text))
    clean = _SPACE.sub(" ", sanitise(text, _LOOKED_AT)).strip()
    return sanitise(clean, SUMMARY_CHARS_MAX) or "no text"


def retry_after(value: str | None, now: int) -> int | None:
    """Return how long a ``Retry-After`` header asks to wait, in ns, at most RETRY_AFTER_MAX.

    Both forms, seconds and date; None when there is none or it makes no sense.
    """
    if value is None or len(value) > 64:
        return None
    if _SECONDS.match(value):
        return min(int(value) * _NS, RETRY_AFTER_MAX)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(int(moment.timestamp()) * _NS - now, 0), RETRY_AFTER_MAX)


def place(url: str) -> str:
    """Return host and path of ``url`` for a message: no query, which may be signed."""
    try:
        parts = urlsplit(url)
        return sanitise(f"{parts.netloc.rpartition('@')[2]}{parts.path}", SUMMARY_CHARS_MAX)
    except ValueError:
        return "a malformed URL"


def cause(error: BaseException) -> str:
    """Return what an exception of a library says, harmless and never empty."""
    said = sanitise(_SPACE.sub(" ", sanitise(str(error))).strip(), SUMMARY_CHARS_MAX)
    return said or ("timed out" if "Timeout" in type(error).__name__ else type(error).__name__)
