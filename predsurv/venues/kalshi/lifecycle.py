"""What the venue announces about markets, as our events.

Kept apart from ``decode`` because it remembers across connections: every connection hears every
announcement, and what a market pays is told before it is paid.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from predsurv.core.errors import WireError
from predsurv.core.events import MarketChange, MarketChangeKind, MarketEvent, MarketResolved, Unknown
from predsurv.core.ids import InstrumentId, MarketId
from predsurv.core.num import MICROS, Price, format_micros, parse_price
from predsurv.core.text import sanitise
from predsurv.venues.kalshi.listing import (
    COMBO_PREFIX,
    NO_SUFFIX,
    VENUE,
    announced,
    bands_of,
    checked_id,
    fee_of,
    multiplier,
    seconds,
)
from predsurv.venues.kalshi.wire import FeeBody, LifeBody

SEEN_MAX: Final = 1 << 14
KIND_CHARS_MAX: Final = 120
_MINUTE: Final = 60_000_000_000
RESULTS_MAX: Final = 1 << 17
"""Results remembered until they are paid out; a day has some 74,000."""

Result = tuple[Price, bool]
"""What a YES contract pays, and whether that is a fair price instead of an outcome."""


class Announcements:
    """The announcements of one feed, each told once however many connections hear it."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, object], object] = {}  # what was told last, by ticker and what it is about
        self._results: dict[str, Result] = {}

    def market(self, body: LifeBody, ts_recv: int) -> list[MarketEvent]:
        """Return what a life-cycle message says, nothing when it is not new; raises WireError or ValueError."""
        if body.market_ticker.startswith(COMBO_PREFIX):
            return []
        checked_id(body.market_ticker, "market_ticker")
        tell = _TELLERS.get(body.event_type)
        if tell is None:
            return [Unknown(VENUE, ts_recv, sanitise(f"market_lifecycle_v2 {body.event_type}", KIND_CHARS_MAX))]
        if not self._is_new(body.market_ticker, *_said(body, ts_recv)):
            return []
        if body.event_type == "determined":
            self._determine(body)
        elif body.event_type == "settled" and body.market_ticker in self._results:
            return [_resolved(body, self._results.pop(body.market_ticker), ts_recv)]
        return [tell(body, ts_recv)]

    def fee(self, body: FeeBody, tickers: Iterable[str], ts_recv: int) -> list[MarketEvent]:
        """Return the new fee of each of ``tickers`` of the event, None when it is withdrawn; raises WireError."""
        times = multiplier(body.fee_multiplier_override)
        fee = fee_of(body.fee_type_override, times)
        own = body.fee_type_override is not None or times is not None
        value = _json(
            {
                "event_ticker": body.event_ticker,
                "fee_type_override": body.fee_type_override,
                "fee_multiplier_override": None if times is None else format_micros(times),
                "rate": format_micros(fee.rate) if own else None,
                "maker_rate": format_micros(fee.maker_rate) if own else None,
            }
        )
        return [
            MarketChange(VENUE, MarketId(ticker), None, ts_recv, None, "fee", value, fee=fee if own else None)
            for ticker in sorted(tickers)
            if ticker == body.event_ticker or ticker.startswith(f"{body.event_ticker}-")
        ]

    def _determine(self, body: LifeBody) -> None:
        """Remember what a contract will pay: settling does not say it again."""
        if body.settlement_value:
            value = parse_price(body.settlement_value)
        elif body.result in ("yes", "no"):
            value = Price(MICROS if body.result == "yes" else 0)
        else:
            raise WireError("determined without a result")
        while len(self._results) >= RESULTS_MAX:
            del self._results[next(iter(self._results))]
        self._results[body.market_ticker] = (value, body.result == "scalar")

    def _is_new(self, ticker: str, about: object, value: object) -> bool:
        mark = ticker, about
        if mark in self._told and self._told[mark] == value:
            return False
        self._told.pop(mark, None)
        while len(self._told) >= SEEN_MAX:
            del self._told[next(iter(self._told))]
        self._told[mark] = value
        return True


def _said(body: LifeBody, ts_recv: int) -> tuple[object, object]:
    """Return what a message is about, and what it says of that.

    What can change back is compared with the last word only: a market is paused more than once, and messages
    of that carry no time. A connection that lags may thus take the last word back, until it has caught up.
    """
    if body.event_type in ("activated", "deactivated"):
        return "trading", body.event_type == "activated" or body.is_deactivated is False
    if body.event_type == "price_level_structure_updated":
        return "grid", tuple((band.start, band.end, band.step) for band in body.price_ranges or ())
    if body.event_type == "close_date_updated":
        return "close", body.close_ts
    if body.event_type == "metadata_updated":
        return "metadata", ts_recv // _MINUTE  # says nothing but that
    return (body.event_type, body.settled_ts, body.determination_ts, body.open_ts, body.close_ts), True


def _change(kind: MarketChangeKind, body: LifeBody, ts_recv: int, about: Mapping[str, Any]) -> MarketChange:
    value = _json({"event_type": body.event_type, **{key: each for key, each in about.items() if each is not None}})
    stamp = seconds(body.settled_ts or body.determination_ts)
    return MarketChange(VENUE, MarketId(body.market_ticker), None, ts_recv, stamp, kind, value)


def _created(body: LifeBody, ts_recv: int) -> MarketChange:
    market = announced(body, ts_recv)
    change = _change("created", body, ts_recv, {"open_ts": body.open_ts, "close_ts": body.close_ts})
    return msgspec.structs.replace(change, market=market)


def _regridded(body: LifeBody, ts_recv: int) -> MarketChange:
    bands = bands_of(body.price_ranges)
    about = {"price_level_structure": body.price_level_structure, "price_ranges": body.price_ranges}
    change = _change("tick_size", body, ts_recv, about)
    return msgspec.structs.replace(change, tick_size=min(band.step for band in bands), bands=bands)


def _determined(body: LifeBody, ts_recv: int) -> MarketChange:
    about = {"result": body.result, "settlement_value": body.settlement_value}
    return _change("closed", body, ts_recv, about)


def _deactivated(body: LifeBody, ts_recv: int) -> MarketChange:
    return _change("activated" if body.is_deactivated is False else "paused", body, ts_recv, {})


def _resolved(body: LifeBody, result: Result, ts_recv: int) -> MarketResolved:
    value, void = result
    ticker = body.market_ticker
    payouts = ((InstrumentId(ticker), value), (InstrumentId(ticker + NO_SUFFIX), Price(MICROS - value)))
    return MarketResolved(VENUE, MarketId(ticker), ts_recv, seconds(body.settled_ts), payouts, void)


def _json(value: Mapping[str, Any]) -> str:
    return msgspec.json.encode(value).decode()


_TELLERS: Final[dict[str, Callable[[LifeBody, int], MarketEvent]]] = {
    "created": _created,
    "activated": lambda body, ts_recv: _change("activated", body, ts_recv, {}),
    "deactivated": _deactivated,
    "close_date_updated": lambda body, ts_recv: _change("rules", body, ts_recv, {"close_ts": body.close_ts}),
    "metadata_updated": lambda body, ts_recv: _change("rules", body, ts_recv, {}),
    "determined": _determined,
    "settled": lambda body, ts_recv: _change("closed", body, ts_recv, {"settled_ts": body.settled_ts}),
    "price_level_structure_updated": _regridded,
}
