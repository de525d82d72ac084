"""Turn error responses and exceptions into short, harmless text; read ``Retry-After``.

Shared by HTTP and WebSocket handshakes, which fail with the same pages and headers. None of that
text may reach a terminal unsanitised.
"""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

from predsurv.core.text import sanitise

SUMMARY_CHARS_MAX: Final = 120
RETRY_AFTER_MAX: Final = 300_000_000_000
"""Longest wait that a server can ask for, in ns."""

_NS: Final = 1_000_000_000
_SUMMARISED_BYTES_MAX: Final = 4_096
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{0,400})", re.IGNORECASE)
_HIDDEN = re.compile(r"<(script|style)\b.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*(?:>|\Z)")
_SPACE = re.compile(r"[\s�]+")
_SECONDS = re.compile(r"[0-9]{1,9}\Z", re.ASCII)


def summary(body: bytes) -> str:
    """Return at most 120 harmless characters that summarise ``body``.

    For an HTML page its title, or its text without tags; for anything else its beginning.
    """
    text = body[:_SUMMARISED_BYTES_MAX].decode("utf-8", "replace")
    if text.lstrip().startswith("<"):
        title = _TITLE.search(text)
        text = title[1] if title and title[1].strip() else _TAG.sub(" ", _HIDDEN.sub(" ", text))
    clean = _SPACE.sub(" ", sanitise(text, _SUMMARISED_BYTES_MAX)).strip()
    return sanitise(clean, SUMMARY_CHARS_MAX) or "no text"


def retry_after(value: str | None, now: int) -> int | None:
    """Return the wait that a ``Retry-After`` header asks for, in ns, at most RETRY_AFTER_MAX.

    ``value`` is in seconds or a date; ``now`` is the present time (ns UTC). None when the header is
    absent or unreadable.
    """
    if value is None or len(value) > 64:
        return None
    if _SECONDS.match(value):
        return min(int(value) * _NS, RETRY_AFTER_MAX)
    moment = http_date(value)
    return None if moment is None else min(max(moment - now, 0), RETRY_AFTER_MAX)


def http_date(value: str | None) -> int | None:
    """Return the moment that a ``Date`` header states (ns UTC, whole seconds), None when absent or unreadable."""
    try:
        moment = parsedate_to_datetime(value or "")
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * _NS


def display_url(url: str) -> str:
    """Return host and path of ``url`` for a message, without credentials and query, which may be signed."""
    try:
        parts = urlsplit(url)
        return sanitise(f"{parts.netloc.rpartition('@')[2]}{parts.path}", SUMMARY_CHARS_MAX)
    except ValueError:
        return "a malformed URL"


def error_text(error: BaseException) -> str:
    """Return the message of a library's exception, sanitised and never empty."""
    text = sanitise(_SPACE.sub(" ", sanitise(str(error))).strip(), SUMMARY_CHARS_MAX)
    return text or ("timed out" if "Timeout" in type(error).__name__ else type(error).__name__)
