"""What a report is made of."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct

from predsurv.core.text import sanitise

TITLE_CHARS_MAX: Final = 160
URL_CHARS_MAX: Final = 500
UNKNOWN: Final = "–"


class MidPath(Struct, frozen=True):
    """Mids in dollars in equal parts of the report's time, None where none was known.

    ``gaps``: stretches of that time that were not observed, as shares of it (from, to).
    """

    values: Sequence[float | None] = ()
    gaps: Sequence[tuple[float, float]] = ()


class ReportRow(Struct, frozen=True):
    """One instrument of the report: statistics by column, display names, its page at the venue, mid over the time."""

    stats: Mapping[str, Any]
    question: str
    outcome: str
    category: str
    path: MidPath
    url: str | None = None


class StatsReport(Struct, frozen=True):
    """The content of the page; ``facts`` are the (label, text) figures at its top, ``notes`` what is not known.

    ``start`` and ``end``: the time of the charts (ns UTC). ``outcomes``: rows of ``trade_outcomes``, () where nothing
    has settled.
    """

    venue: str
    date: str
    facts: Sequence[tuple[str, str]]
    entries: Sequence[ReportRow]
    weights: Mapping[str, float]
    start: int
    end: int
    outcomes: Sequence[Mapping[str, Any]] = ()
    notes: Sequence[str] = ()


def safe(text: str, limit: int = TITLE_CHARS_MAX) -> str:
    """Return text of a venue for HTML: nothing in it is markup or control."""
    return escape(sanitise(text, limit))


def link(text: str, url: str | None) -> str:
    """Return a link to the venue's page, or the text alone: only https addresses are linked."""
    if url is None or urlsplit(url).scheme != "https":
        return safe(text)
    return f'<a href="{escape(sanitise(url, URL_CHARS_MAX))}" rel="noopener noreferrer">{safe(text)}</a>'
