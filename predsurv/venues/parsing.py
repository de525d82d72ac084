"""Parsing shared by the adapters: decimal texts, ids, timestamps, and errors as events.

Adapters must not import one another, so what every venue's parser needs lives here.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple, TypeVar

from predsurv.core.errors import WireError
from predsurv.core.events import Malformed
from predsurv.core.ids import ID_CHARS_MAX, VenueName
from predsurv.core.num import MICROS, ONE, Price, parse_micros
from predsurv.core.text import sanitise

DETAIL_CHARS_MAX: Final = 120
"""Longest detail of an event, which may quote the venue."""
ISSUE_CHARS_MAX: Final = 200
"""Longest detail of a scan issue or a log line."""

DATES_MAX: Final = 1 << 12
"""Most dates that are remembered: of the markets of a list, many close together."""

DATE_CHARS_MAX: Final = 64
"""Longest date that is remembered."""

PRICES_MAX: Final = 1 << 14
"""Entries of a price cache."""

EARLIEST_MS: Final = 1_420_070_400_000
"""Earliest plausible venue timestamp: 2015, ms since 1970."""
LATEST_MS: Final = 4_102_444_800_000
"""Latest plausible venue timestamp: 2100, ms since 1970."""

_MS: Final = 1_000_000
_NS_MAX: Final = 2**63 - 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CONTROLS_TO_SPACE: Final = dict.fromkeys(range(32), " ")
_ESCAPE: Final = re.compile(
    r"""\\(?:["\\/bfnrt]|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"""
    r"""|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|u[0-9a-fA-F]{4})|\\"""
)
_ID: Final = re.compile(r"[\x21-\x7e]+\Z")

Value = TypeVar("Value")


class Stamp(NamedTuple):
    """When (ns UTC) and on which connection (epoch) a message arrived, with its sequence number if it has one."""

    ts_recv: int
    epoch: int
    seq: int | None = None


class ParseCache(dict[str, Value]):
    """Texts already parsed, by text; cleared when it holds ``entries_max``.

    Looking up a text that ``parse`` refuses raises its ValueError; refusals are not cached.
    """

    def __init__(self, parse: Callable[[str], Value], entries_max: int) -> None:
        self._parse = parse
        self._entries_max = entries_max

    def __missing__(self, text: str) -> Value:
        value = self._parse(text)
        if len(self) >= self._entries_max:
            self.clear()
        self[text] = value
        return value


def parse_open_price(text: str) -> Price:
    """Return a price strictly between 0 and 1 dollar, in micros; raises ValueError otherwise."""
    return _open_price(parse_micros(text), text)


def parse_complement(text: str) -> Price:
    """Return 1 − the price in ``text``, in micros; raises ValueError unless it is strictly between 0 and 1 dollar."""
    return _open_price(MICROS - parse_micros(text), text)


def _open_price(micros: int, text: str) -> Price:
    if not 0 < micros < ONE:
        raise ValueError(f"price outside 0 … 1: {text[:32]!r}")
    return Price(micros)


def checked_id(name: str, what: str, *, suffix: str = "") -> str:
    """Return ``name`` when it can be an id; raises WireError when empty, too long or not printable ASCII.

    ``suffix``: what the adapter may append to it; its length counts, and ``name`` must not contain its first character.
    """
    if len(name) + len(suffix) > ID_CHARS_MAX or (suffix and suffix[0] in name):
        raise WireError(f"{what} is not an id")
    if not (name.isalnum() and name.isascii()) and not _ID.match(name):
        raise WireError(f"{what} is not an id")
    return name


def venue_time(ts_ms: int | None) -> int | None:
    """Return a venue's ms since 1970 as ns UTC; None when absent or not between 2015 and 2100."""
    return ts_ms * _MS if ts_ms is not None and EARLIEST_MS < ts_ms < LATEST_MS else None


def parse_date(text: str | None, *, zone: tzinfo | None = None) -> int | None:
    """Return an ISO 8601 date in ns UTC; None when absent, unreadable, before 1970 or beyond 63 bits.

    A date without a time zone is one of ``zone``; without that it is unreadable.
    """
    if not text:
        return None
    return _date(text, zone) if len(text) <= DATE_CHARS_MAX else _date.__wrapped__(text, zone)


@lru_cache(DATES_MAX)
def _date(text: str, zone: tzinfo | None) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        if zone is None:
            return None
        moment = moment.replace(tzinfo=zone)
    try:
        nanos = (moment - _EPOCH) // timedelta(microseconds=1) * 1_000
    except OverflowError:
        return None
    return nanos if 0 <= nanos <= _NS_MAX else None


def shortened(text: str, chars_max: int) -> str:
    """Return ``text``, cut in the middle to ``chars_max`` characters where it is longer.

    A digest stands for what was cut, so that two texts that differ anywhere still differ.
    """
    if len(text) <= chars_max:
        return text
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=3).hexdigest()
    middle, tail = f" …{digest}… ", chars_max // 4
    return f"{text[: chars_max - tail - len(middle)]}{middle}{text[-tail:]}"


def mended_json(body: bytes) -> bytes:
    """Return JSON with unreadable characters in its texts replaced, so that one broken text does not cost the rest.

    Mends bytes that are no UTF-8, halves of surrogate pairs (an emoji cut in two), escapes that JSON does not have, and
    bare control characters.
    """
    text = body.decode("utf-8", "replace").translate(_CONTROLS_TO_SPACE)
    return _ESCAPE.sub(_mended_escape, text).encode()


def _mended_escape(escape: re.Match[str]) -> str:
    if escape[0] == "\\":
        return "\\\\"
    return "\\ufffd" if escape["half"] else escape[0]


def malformed(venue: VenueName, payload: bytes, error: Exception, ts_recv: int) -> Malformed:
    """Return the event that reports an unreadable ``payload``: what is wrong with it, and its digest."""
    digest = blake2b(payload, digest_size=16).hexdigest()
    return Malformed(venue, ts_recv, sanitise(str(error), DETAIL_CHARS_MAX), digest)
