"""The terms that markets share: what their event and series say of fees, categories and each other.

Kept for a whole venue, so that a market that is announced or found between two scans has the terms of its series.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Raw, Struct
from msgspec.structs import replace

from predsurv.core.errors import WireError
from predsurv.core.market import FeeSchedule
from predsurv.core.num import MICROS, parse_micros
from predsurv.venues.kalshi.rest_wire import EventRow, SeriesRow
from predsurv.venues.kalshi.tolerant_reader import FieldProblem, read_field

TEXT_CHARS_MAX: Final = 512
TAGS_MAX: Final = 32
EVENTS_MAX: Final = 1 << 15
"""Events, and markets with peculiarities, that are kept; the oldest are forgotten. Some 12,000 events are open."""
TAKER_RATE: Final = 70_000
"""0.07 in micros: what takers of the general fee table pay, times the multiplier of their series."""

_MAKER_SHARES: Final = {
    "quadratic": 0,
    "quadratic_with_maker_fees": MICROS // 4,
    "quadratic_with_combo_maker_fees": MICROS // 2,
}
_OF_SERIES: Final = ("fee", "category", "tags")


class SeriesTerms(Struct, frozen=True, gc=False):
    """What the markets of an event share. Of an unknown series makers are taken to pay as much as takers.

    ``own_fee``: the fee is the event's own and not its series'. ``assumed``: the fields of a market that neither the
    event nor the series states.
    """

    title: str = ""
    series: str | None = None
    category: str | None = None
    tags: tuple[str, ...] = ()
    mutually_exclusive: bool = False
    fee: FeeSchedule = FeeSchedule("kalshi", TAKER_RATE, maker_rate=TAKER_RATE)
    own_fee: bool = False
    assumed: tuple[str, ...] = (*_OF_SERIES, "mutually_exclusive")


class EventDirectory:
    """The terms of events: their own, or their series' where the event is not listed; and markets with peculiarities.

    ``scalars``: tickers that are made to pay any amount. ``waivers``: until when (ns UTC) a ticker's fee is waived.
    """

    def __init__(
        self, series: Mapping[str, SeriesRow] | None = None, fee_since: Mapping[str, int] | None = None
    ) -> None:
        self._series: dict[str, SeriesRow] = dict(series or {})
        self._fee_since: dict[str, int] = dict(fee_since or {})
        self._terms: dict[str, SeriesTerms] = {}
        self.scalars: dict[str, None] = {}
        self.waivers: dict[str, int] = {}

    def replace(self, other: "EventDirectory") -> None:
        """Take over what ``other`` has read."""
        self._series, self._fee_since, self._terms = other._series, other._fee_since, other._terms

    def add(self, row: EventRow, problems: list[FieldProblem] | None = None) -> None:
        """Add an event; what of it is unreadable is assumed and appended to ``problems``."""
        _forget_oldest(self._terms)
        self._terms[row.event_ticker] = self._parse(row, problems)

    def add_series(self, row: SeriesRow) -> None:
        """Add a series."""
        self._series[row.ticker] = row

    def add_scalar(self, ticker: str) -> None:
        """Remember that a market is made to pay any amount."""
        _forget_oldest(self.scalars)
        self.scalars[ticker] = None

    def add_waiver(self, ticker: str, ends: int) -> None:
        """Remember until when (ns UTC) a market's fee is waived."""
        _forget_oldest(self.waivers)
        self.waivers[ticker] = ends

    def has_event(self, event_ticker: str) -> bool:
        """Return whether the event itself is known."""
        return event_ticker in self._terms

    def has_series(self, name: str) -> bool:
        """Return whether the series is known."""
        return name in self._series

    def terms(self, event_ticker: str) -> SeriesTerms:
        """Return the terms of an event's markets; those of an event that is not known are its series'."""
        known = self._terms.get(event_ticker)
        if known is not None:
            return known
        terms = self._parse(EventRow(event_ticker), None)
        return replace(terms, assumed=(*terms.assumed, "mutually_exclusive"))

    def series_fee(self, event_ticker: str) -> FeeSchedule | None:
        """Return the fee of an event's series, None when that is not known."""
        if not self.has_series(series_ticker(event_ticker)):
            return None
        return self._parse(EventRow(event_ticker), None).fee

    def event_fee(self, event_ticker: str, kind: str | None, times: int | None) -> FeeSchedule:
        """Return the fee of an event with a kind or a multiplier (micros) of its own; None stands for its series'."""
        series = self._series.get(series_ticker(event_ticker))
        if times is None and series is not None:
            times = read_field(parse_multiplier, series.fee_multiplier, "fee_multiplier", [], None)
        return fee_schedule(kind or (series.fee_type if series else None), times)

    def _parse(self, row: EventRow, problems: list[FieldProblem] | None) -> SeriesTerms:
        name = row.series_ticker or series_ticker(row.event_ticker)
        return event_terms(row, self._series.get(name), self._fee_since.get(name), problems)


def event_terms(
    row: EventRow,
    series: SeriesRow | None,
    since: int | None = None,
    problems: list[FieldProblem] | None = None,
) -> SeriesTerms:
    """Return the terms of an event's markets; the event's own fee takes precedence over its series'.

    ``since``: when the series' fee began (ns UTC). A fee that cannot be read is assumed: makers pay what takers pay.
    """
    name = row.series_ticker or series_ticker(row.event_ticker)
    found: list[FieldProblem] = []
    own = read_field(parse_multiplier, row.fee_multiplier_override, "fee_multiplier_override", found, None)
    times = own
    if own is None and series is not None:
        times = read_field(parse_multiplier, series.fee_multiplier, "fee_multiplier", found, None)
    kind = row.fee_type_override or (series.fee_type if series else None)
    category = row.category or (series.category if series else None)
    assumed = [] if series else [each for each in _OF_SERIES if each != "category" or not category]
    if (found or not is_known_fee(kind)) and "fee" not in assumed:
        assumed.append("fee")
    if series is None and kind is not None and own is not None and not found and is_known_fee(kind):
        assumed.remove("fee")
    if problems is not None:
        problems += found
    return SeriesTerms(
        title=row.title or "",
        series=name,
        category=category,
        tags=tuple(tag[:TEXT_CHARS_MAX] for tag in ((series.tags if series else None) or ())[:TAGS_MAX]),
        mutually_exclusive=bool(row.mutually_exclusive),
        fee=fee_schedule(None if found else kind, times, since),
        own_fee=own is not None or row.fee_type_override is not None,
        assumed=tuple(assumed),
    )


def fee_schedule(kind: str | None, times: int | None, since: int | None = None) -> FeeSchedule:
    """Return the fees of ``kind`` (``quadratic`` …) times a multiplier in micros (None: 1).

    Makers of a kind that is not known are taken to pay what takers pay: too much, never too little.
    """
    rate = -(-TAKER_RATE * (MICROS if times is None else times) // MICROS)
    share = MICROS if kind is None else _MAKER_SHARES.get(kind, MICROS)
    return FeeSchedule("kalshi", rate, maker_rate=-(-rate * share // MICROS), since=since)


def is_known_fee(kind: str | None) -> bool:
    """Return whether ``fee_schedule`` knows what makers pay."""
    return kind in _MAKER_SHARES


def parse_multiplier(raw: Raw) -> int | None:
    """Return a fee multiplier (a JSON number) in micros, None for null; raises WireError."""
    digits = bytes(raw).strip(b'"').decode("ascii", "replace")
    if digits == "null":
        return None
    try:
        return parse_micros(digits)
    except ValueError as error:
        raise WireError(f"fee multiplier: {error}") from None


def _forget_oldest(known: dict[str, Any]) -> None:
    """Make room for one more entry."""
    while len(known) >= EVENTS_MAX:
        del known[next(iter(known))]


def series_ticker(event_ticker: str) -> str:
    """Return the ticker of the series that an event's ticker begins with."""
    return event_ticker.partition("-")[0]
