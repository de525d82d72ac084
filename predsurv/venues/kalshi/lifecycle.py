"""What the venue announces about markets, or lists of them, as our events.

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
from predsurv.venues.kalshi.market_parser import (
    COMBO_PREFIX,
    NO_SUFFIX,
    VENUE,
    announced,
    bands_of,
    checked_id,
    fee_of,
    multiplier,
    seconds,
    time_of,
)
from predsurv.venues.kalshi.rest_wire import MarketRow
from predsurv.venues.kalshi.wire import FeeBody, LifecycleBody

SEEN_MAX: Final = 1 << 14
KIND_CHARS_MAX: Final = 120
_MINUTE: Final = 60_000_000_000
RESULTS_MAX: Final = 1 << 17
"""Results remembered until they are paid out; a day has some 74,000."""

Result = tuple[Price, bool]
"""What a YES contract pays, and whether that is a fair price instead of an outcome."""


class LifecycleReader:
    """The announcements of one feed, each told once however many connections hear it.

    ``owed``: markets that are over without anybody having heard of what they pay.
    """

    def __init__(self) -> None:
        self.owed: dict[str, None] = {}
        self._told: dict[tuple[str, object], object] = {}  # what was told last, by ticker and what it is about
        self._results: dict[str, Result] = {}

    def market(self, body: LifecycleBody, ts_recv: int) -> list[MarketEvent]:
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
            self._remember(body.market_ticker, _result(body.result, body.settlement_value))
        elif body.event_type == "settled" and body.market_ticker in self._results:
            result = self._results.pop(body.market_ticker)
            return self._resolve(body.market_ticker, result, (ts_recv, seconds(body.settled_ts)))
        elif body.event_type == "settled" and (body.market_ticker, "resolved") not in self._told:
            self._owe(body.market_ticker)
        return [tell(body, ts_recv)]

    def result(self, row: MarketRow, ts_recv: int) -> list[MarketEvent]:
        """Return what a market of the list paid, nothing when it did not yet or was told to; raises as ``market``."""
        if row.status not in ("determined", "finalized"):
            return []
        ticker, result = checked_id(row.ticker, "ticker"), _result(row.result, row.settlement_value_dollars)
        if row.status == "finalized":
            return self._resolve(ticker, result, (ts_recv, time_of(row.settlement_ts)))
        self._remember(ticker, result)
        return []

    def standing(self, row: MarketRow, ts_recv: int) -> list[MarketEvent]:
        """Return the same, and how the market stands when that is new: for those to whom nobody else tells it.

        That a market is active is no news, unless it was told to be paused.
        """
        resolved, kind = self.result(row, ts_recv), _STANDING.get(row.status)
        if kind is None:
            return resolved
        ticker = checked_id(row.ticker, "ticker")
        if kind == "closed":
            self._owe(ticker)  # nobody may want it any more when it settles
        was = self._told.get((ticker, "trading"))
        if not self._is_new(ticker, "trading", kind) or (was is None and kind == "activated"):
            return []
        return [MarketChange(VENUE, MarketId(ticker), None, ts_recv, None, kind, _json({"status": row.status}))]

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

    def _remember(self, ticker: str, result: Result) -> None:
        """Keep what a contract will pay: settling does not say it again."""
        _forget_oldest(self._results, RESULTS_MAX)
        self._results[ticker] = result

    def _owe(self, ticker: str) -> None:
        _forget_oldest(self.owed, SEEN_MAX)
        self.owed[ticker] = None

    def _resolve(self, ticker: str, result: Result, stamps: tuple[int, int | None]) -> list[MarketEvent]:
        """Return that a market settled, unless it was told; ``stamps``: ts_recv and ts_venue."""
        self.owed.pop(ticker, None)
        if not self._is_new(ticker, "resolved", ""):
            return []
        value, void = result
        payouts = ((InstrumentId(ticker), value), (InstrumentId(ticker + NO_SUFFIX), Price(MICROS - value)))
        return [MarketResolved(VENUE, MarketId(ticker), *stamps, payouts, void)]

    def _is_new(self, ticker: str, about: object, value: object) -> bool:
        mark = ticker, about
        if mark in self._told and self._told[mark] == value:
            return False
        self._told.pop(mark, None)
        _forget_oldest(self._told, SEEN_MAX)
        self._told[mark] = value
        return True


def _said(body: LifecycleBody, ts_recv: int) -> tuple[object, object]:
    """Return what a message is about, and what it says of that.

    What can change back is compared with the last word only: a market is paused more than once, and messages
    of that carry no time. A connection that lags may thus take the last word back, until it has caught up.
    """
    if body.event_type in ("activated", "deactivated"):
        return "trading", "activated" if body.event_type == "activated" or body.is_deactivated is False else "paused"
    if body.event_type == "price_level_structure_updated":
        return "grid", tuple((band.start, band.end, band.step) for band in body.price_ranges or ())
    if body.event_type == "close_date_updated":
        return "close", body.close_ts
    if body.event_type == "metadata_updated":
        return "metadata", ts_recv // _MINUTE  # says nothing but that
    return (body.event_type, body.settled_ts, body.determination_ts, body.open_ts, body.close_ts), True


def _change(kind: MarketChangeKind, body: LifecycleBody, ts_recv: int, about: Mapping[str, Any]) -> MarketChange:
    value = _json({"event_type": body.event_type, **{key: each for key, each in about.items() if each is not None}})
    stamp = seconds(body.settled_ts or body.determination_ts)
    return MarketChange(VENUE, MarketId(body.market_ticker), None, ts_recv, stamp, kind, value)


def _created(body: LifecycleBody, ts_recv: int) -> MarketChange:
    market = announced(body, ts_recv)
    change = _change("created", body, ts_recv, {"open_ts": body.open_ts, "close_ts": body.close_ts})
    return msgspec.structs.replace(change, market=market)


def _regridded(body: LifecycleBody, ts_recv: int) -> MarketChange:
    bands = bands_of(body.price_ranges)
    about = {"price_level_structure": body.price_level_structure, "price_ranges": body.price_ranges}
    change = _change("tick_size", body, ts_recv, about)
    return msgspec.structs.replace(change, tick_size=min(band.step for band in bands), bands=bands)


def _determined(body: LifecycleBody, ts_recv: int) -> MarketChange:
    about = {"result": body.result, "settlement_value": body.settlement_value}
    return _change("closed", body, ts_recv, about)


def _deactivated(body: LifecycleBody, ts_recv: int) -> MarketChange:
    return _change("activated" if body.is_deactivated is False else "paused", body, ts_recv, {})


def _result(result: str | None, value: str | None) -> Result:
    if not value and result not in ("yes", "no"):
        raise WireError("determined without a result")
    price = parse_price(value) if value else Price(MICROS if result == "yes" else 0)
    return price, result == "scalar"


def _forget_oldest(known: dict[Any, Any], most: int) -> None:
    """Make room for one more of ``most``."""
    while len(known) >= most:
        del known[next(iter(known))]


def _json(value: Mapping[str, Any]) -> str:
    return msgspec.json.encode(value).decode()


_STANDING: Final[dict[str, MarketChangeKind]] = {
    "active": "activated",
    "inactive": "paused",
    "closed": "closed",
    "determined": "closed",
    "disputed": "closed",
    "amended": "closed",
}
_TELLERS: Final[dict[str, Callable[[LifecycleBody, int], MarketEvent]]] = {
    "created": _created,
    "activated": lambda body, ts_recv: _change("activated", body, ts_recv, {}),
    "deactivated": _deactivated,
    "close_date_updated": lambda body, ts_recv: _change("rules", body, ts_recv, {"close_ts": body.close_ts}),
    "metadata_updated": lambda body, ts_recv: _change("rules", body, ts_recv, {}),
    "determined": _determined,
    "settled": lambda body, ts_recv: _change("closed", body, ts_recv, {"settled_ts": body.settled_ts}),
    "price_level_structure_updated": _regridded,
}
