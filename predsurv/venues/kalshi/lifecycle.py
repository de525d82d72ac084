"""Life-cycle events of markets, from the venue's announcements and from rows of its list.

Outlives the codec of a connection: every connection receives every announcement, and what a market
pays is announced before it settles.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from predsurv.core.errors import WireError
from predsurv.core.events import MarketChange, MarketChangeKind, MarketEvent, MarketResolved, Unknown
from predsurv.core.ids import InstrumentId, MarketId
from predsurv.core.market import Market
from predsurv.core.num import MICROS, Price, format_micros, parse_price
from predsurv.core.text import sanitise
from predsurv.venues.kalshi.market_parser import (
    COMBO_PREFIX,
    NO_SUFFIX,
    VENUE,
    announced_market,
    checked_ticker,
    event_of,
    is_scalar,
    parse_bands,
    parse_time,
    unix_seconds_ns,
)
from predsurv.venues.kalshi.rest_wire import MarketRow
from predsurv.venues.kalshi.series_terms import EventDirectory, parse_multiplier
from predsurv.venues.kalshi.told_facts import ToldFacts, remember
from predsurv.venues.kalshi.wire import FeeBody, LifecycleBody
from predsurv.venues.parsing import DETAIL_CHARS_MAX

MARKETS_MAX: Final = 1 << 15
"""Markets of which the last events are remembered; those of the others may be told again."""
AWAITED_MAX: Final = 1 << 14
_MINUTE: Final = 60_000_000_000
PAYOUTS_MAX: Final = 1 << 17
"""Payouts remembered until their market settles; a day has some 74,000."""

Payout = tuple[Price, bool]
"""What a YES contract pays, and whether that is a fair price instead of an outcome."""


class LifecycleReader:
    """The announcements of one feed, each an event once however many connections receive it.

    ``awaiting_payout``: tickers of markets that are over while it is not known what they pay. ``unlisted``: those that
    were announced, of which no list has told the whole record yet. ``directory``: the terms of series and events.
    ``connections``: how many began to receive announcements so far; what was announced before one did may be missed.
    """

    def __init__(self, directory: EventDirectory | None = None) -> None:
        self.awaiting_payout: dict[str, None] = {}
        self.unlisted: dict[str, None] = {}
        self.directory = directory or EventDirectory()
        self.connections = 0
        self._told = ToldFacts(MARKETS_MAX)
        self._payouts: dict[str, Payout] = {}

    def market_events(self, body: LifecycleBody, ts_recv: int, sent: int | None = None) -> list[MarketEvent]:
        """Return the event of a life-cycle message, none when it is not new; raises WireError or ValueError.

        ``sent``: when the venue sent it (ns UTC), which is its time where it has no other.
        """
        return [_sent(event, sent) for event in self._announced(body, ts_recv)]

    def _announced(self, body: LifecycleBody, ts_recv: int) -> list[MarketEvent]:
        if body.market_ticker.startswith(COMBO_PREFIX):
            return []
        checked_ticker(body.market_ticker, "market_ticker")
        change = _CHANGES.get(body.event_type)
        if change is None and body.event_type != "created":
            return [Unknown(VENUE, ts_recv, sanitise(f"market_lifecycle_v2 {body.event_type}", DETAIL_CHARS_MAX))]
        if not self._told.is_new(body.market_ticker, *_subject_and_value(body, ts_recv)):
            return []
        self._note(body)
        if body.event_type == "determined":
            scalar = body.market_ticker in self.directory.scalars
            payout = _payout(body.result, body.settlement_value, scalar=scalar)
            remember(self._payouts, body.market_ticker, payout, PAYOUTS_MAX)  # the settlement does not repeat it
        elif body.event_type == "settled" and body.market_ticker in self._payouts:
            payout = self._payouts.pop(body.market_ticker)
            return self._resolved(body.market_ticker, payout, ts_recv, unix_seconds_ns(body.settled_ts))
        elif body.event_type == "settled":
            remember(self.awaiting_payout, body.market_ticker, None, AWAITED_MAX)
        return [_created(body, ts_recv, self.directory) if change is None else change(body, ts_recv)]

    def _note(self, body: LifecycleBody) -> None:
        """Note that the market of an announcement has ended, or is to be looked up."""
        ticker = body.market_ticker
        if body.event_type in ("determined", "settled"):
            self._told.is_new(ticker, "ended", "")
        elif body.event_type in ("created", "activated") and not self._told.was_told(ticker, "listed"):
            remember(self.unlisted, ticker, None, MARKETS_MAX)

    def settlement(self, row: MarketRow, ts_recv: int) -> list[MarketEvent]:
        """Return the settlement of a listed market, none before it settles and when it is not new.

        Raises WireError or ValueError.
        """
        if row.status not in ("determined", "finalized"):
            return []
        ticker = checked_ticker(row.ticker, "ticker")
        payout = _payout(row.result, row.settlement_value_dollars, scalar=is_scalar(row))
        if row.status == "finalized":
            return self._resolved(ticker, payout, ts_recv, parse_time(row.settlement_ts))
        remember(self._payouts, ticker, payout, PAYOUTS_MAX)
        return []

    def status_changes(self, row: MarketRow, ts_recv: int, *, follow: bool = True) -> list[MarketEvent]:
        """Return the settlement of a listed market and its status where that is new, for feeds without announcements.

        An active market is no news unless its last event was a pause. With ``follow`` a closed one awaits its payout.
        Raises WireError or ValueError.
        """
        resolved, kind = self.settlement(row, ts_recv), _STATUS_CHANGES.get(row.status)
        if kind is None:
            return resolved
        ticker = checked_ticker(row.ticker, "ticker")
        if kind == "closed" and follow:
            remember(self.awaiting_payout, ticker, None, AWAITED_MAX)  # it may not be wanted any more when it settles
        was = self._told.last(ticker, "trading")
        if not self._told.is_new(ticker, "trading", kind) or (was is None and kind == "activated"):
            return []
        return [MarketChange(VENUE, MarketId(ticker), None, ts_recv, None, kind, _json({"status": row.status}))]

    def listed(self, market: Market, ts_recv: int) -> list[MarketEvent]:
        """Return the whole record of a listed market, none when it is not new."""
        self.unlisted.pop(market.market_id, None)
        if not self._told.is_new(market.market_id, "listed", _digest(market)):
            return []
        return [_record("listed", market, ts_recv)]

    def updated(self, row: MarketRow, market: Market, ts_recv: int, since: int) -> list[MarketEvent]:
        """Return what is new in a row of a market that the venue says has changed, for what no announcement told.

        A market made after ``since`` (ns UTC) is announced. Of one that is over its whole life is told. Raises
        WireError or ValueError.
        """
        ticker = market.market_id
        if row.status in _OVER:
            return self._ending(row, market, ts_recv)
        if self._told.was_told(ticker, "ended"):
            return []  # the list is behind the stream
        is_first, was = not self._told.was_told(ticker, "listed"), self._told.last(ticker, "trading")
        if was == "closed" and row.status in ("active", "inactive"):
            return _reopening(self._told, row, market, ts_recv)
        if is_first and was != "paused" and row.status in ("initialized", "active"):
            made = (parse_time(row.created_time) or 0) >= since
            told: MarketChangeKind = "created" if row.status == "initialized" else "activated" if made else "listed"
            self._told.is_new(ticker, "trading", "created" if told == "created" else "activated")
            self._told.is_new(ticker, "listed", _digest(market))
            return [_record(told, market, ts_recv, opened=_opened(row) if row.status == "active" else None)]
        events = self.status_changes(row, ts_recv, follow=False)
        if market.status not in ("created", "active", "paused"):
            return events
        if was == "created" and row.status == "active":
            self._told.is_new(ticker, "listed", _digest(market))
            return [_record("activated", market, ts_recv, opened=_opened(row))]
        return [*events, *self.listed(market, ts_recv)]

    def _ending(self, row: MarketRow, market: Market, ts_recv: int) -> list[MarketEvent]:
        """Return what is new in the row of a market that is over: its life and status, also if its payout is not."""
        life = self._life(row, market, ts_recv)
        try:
            return [*life, *self.status_changes(row, ts_recv, follow=False)]
        except (WireError, ValueError):
            if not life:
                raise
            return life

    def _life(self, row: MarketRow, market: Market, ts_recv: int) -> list[MarketEvent]:
        """Return the end of a market with its record and when it opened and closed, none when that was told."""
        ticker = market.market_id
        self.unlisted.pop(ticker, None)
        if row.status != "closed":  # trading can go on when the close time is moved
            self._told.is_new(ticker, "ended", "")
        if not self._told.is_new(ticker, "life", ""):
            return []
        self._told.is_new(ticker, "trading", _STATUS_CHANGES.get(row.status, "closed"))
        self._told.is_new(ticker, "listed", _digest(market))
        ends = [each for each in map(parse_time, (row.close_time, row.settlement_ts)) if each is not None]
        closed = min((each for each in ends if each <= ts_recv), default=None)
        change = _record("closed", market, ts_recv, opened=_opened(row))
        return [msgspec.structs.replace(change, closed=closed, ts_venue=closed)]

    def fee_changes(
        self, body: FeeBody, tickers: Iterable[str], ts_recv: int, sent: int | None = None
    ) -> list[MarketEvent]:
        """Return the new fee of each of ``tickers`` of the event; raises WireError.

        Where it is withdrawn, that of the series, or None when that is not known.
        """
        multiplier = parse_multiplier(body.fee_multiplier_override)
        fee = self.directory.event_fee(body.event_ticker, body.fee_type_override, multiplier)
        own = body.fee_type_override is not None or multiplier is not None
        stated = fee if own else self.directory.series_fee(body.event_ticker)
        value = _json(
            {
                "event_ticker": body.event_ticker,
                "fee_type_override": body.fee_type_override,
                "fee_multiplier_override": None if multiplier is None else format_micros(multiplier),
                "rate": format_micros(fee.rate) if own else None,
                "maker_rate": format_micros(fee.maker_rate) if own else None,
            }
        )
        return [
            MarketChange(VENUE, MarketId(ticker), None, ts_recv, sent, "fee", value, fee=stated)
            for ticker in sorted(tickers)
            if ticker == body.event_ticker or ticker.startswith(f"{body.event_ticker}-")
        ]

    def _resolved(self, ticker: str, payout: Payout, ts_recv: int, ts_venue: int | None) -> list[MarketEvent]:
        """Return the settlement of a market unless it was returned before."""
        self.awaiting_payout.pop(ticker, None)
        if not self._told.is_new(ticker, "resolved", ""):
            return []
        value, void = payout
        payouts = ((InstrumentId(ticker), value), (InstrumentId(ticker + NO_SUFFIX), Price(MICROS - value)))
        return [MarketResolved(VENUE, MarketId(ticker), ts_recv, ts_venue, payouts, void)]


def _reopening(told: ToldFacts, row: MarketRow, market: Market, ts_recv: int) -> list[MarketEvent]:
    """Return the whole record of a market that was over, if its close time is in the future again."""
    if market.close_time is None or market.close_time <= ts_recv:
        return []  # the row is older than the one that said that it is closed
    told.is_new(market.market_id, "trading", _STATUS_CHANGES[row.status])
    told.is_new(market.market_id, "listed", _digest(market))
    return [_record(_STATUS_CHANGES[row.status], market, ts_recv)]


def _subject_and_value(body: LifecycleBody, ts_recv: int) -> tuple[object, object]:
    """Return the subject of a message, and the value it gives it.

    What can change back is compared with the last value only: a market is paused more than once, and
    such messages carry no time. A connection that lags may thus undo the last value until it has caught up.
    """
    if body.event_type in ("activated", "deactivated"):
        return "trading", "activated" if body.event_type == "activated" or body.is_deactivated is False else "paused"
    if body.event_type == "price_level_structure_updated":
        return "grid", tuple((band.start, band.end, band.step) for band in body.price_ranges or ())
    if body.event_type == "close_date_updated":
        return "close", body.close_ts
    if body.event_type == "metadata_updated":
        return "metadata", ts_recv // _MINUTE  # the message has no content
    return (body.event_type, body.settled_ts, body.determination_ts, body.open_ts, body.close_ts), True


def _change(kind: MarketChangeKind, body: LifecycleBody, ts_recv: int, fields: Mapping[str, Any]) -> MarketChange:
    value = _json({"event_type": body.event_type, **{key: each for key, each in fields.items() if each is not None}})
    stamp = unix_seconds_ns(body.settled_ts or body.determination_ts)
    return MarketChange(VENUE, MarketId(body.market_ticker), None, ts_recv, stamp, kind, value)


def _record(kind: MarketChangeKind, market: Market, ts_recv: int, opened: int | None = None) -> MarketChange:
    value = _json({"status": market.status})
    return MarketChange(VENUE, market.market_id, None, ts_recv, None, kind, value, market=market, opened=opened)


def _opened(row: MarketRow) -> int | None:
    return parse_time(row.open_time) or parse_time(row.created_time)


def _digest(market: Market) -> int:
    """Return a digest of what makes a record news: not its volumes, nor when it was fetched."""
    facts = market.status, market.close_time, market.tick_size, market.bands, market.fee, market.market_type
    return hash((*facts, market.question, market.rules_hash, market.category, market.assumed))


def _sent(event: MarketEvent, sent: int | None) -> MarketEvent:
    if sent is None or not isinstance(event, MarketChange | MarketResolved) or event.ts_venue is not None:
        return event
    return msgspec.structs.replace(event, ts_venue=sent)


def _created(body: LifecycleBody, ts_recv: int, directory: EventDirectory) -> MarketChange:
    told = body.additional_metadata.event_ticker if body.additional_metadata else None
    event = told or event_of(body.market_ticker)
    market = announced_market(body, ts_recv, directory.terms(event))
    change = _change("created", body, ts_recv, {"open_ts": body.open_ts, "close_ts": body.close_ts})
    return msgspec.structs.replace(change, market=market)


def _close_moved(body: LifecycleBody, ts_recv: int) -> MarketChange:
    change = _change("rules", body, ts_recv, {"close_ts": body.close_ts})
    return msgspec.structs.replace(change, close_time=unix_seconds_ns(body.close_ts))


def _new_price_grid(body: LifecycleBody, ts_recv: int) -> MarketChange:
    bands = parse_bands(body.price_ranges)
    fields = {"price_level_structure": body.price_level_structure, "price_ranges": body.price_ranges}
    change = _change("tick_size", body, ts_recv, fields)
    return msgspec.structs.replace(change, tick_size=min(band.step for band in bands), bands=bands)


def _outcome_determined(body: LifecycleBody, ts_recv: int) -> MarketChange:
    fields = {"result": body.result, "settlement_value": body.settlement_value}
    return _change("closed", body, ts_recv, fields)


def _deactivated(body: LifecycleBody, ts_recv: int) -> MarketChange:
    return _change("activated" if body.is_deactivated is False else "paused", body, ts_recv, {})


def _payout(result: str | None, value: str | None, *, scalar: bool) -> Payout:
    """Return what a contract pays; a ``scalar`` market pays as designed whatever it pays."""
    if not value and result not in ("yes", "no"):
        raise WireError("determined without a result")
    price = parse_price(value) if value else Price(MICROS if result == "yes" else 0)
    return price, result == "scalar" and not scalar


def _json(value: Mapping[str, Any]) -> str:
    return msgspec.json.encode(value).decode()


_OVER: Final = frozenset({"closed", "determined", "disputed", "amended", "finalized"})
_STATUS_CHANGES: Final[dict[str, MarketChangeKind]] = {
    "active": "activated",
    "inactive": "paused",
    "closed": "closed",
    "determined": "closed",
    "disputed": "disputed",
    "amended": "closed",
}
_CHANGES: Final[dict[str, Callable[[LifecycleBody, int], MarketEvent]]] = {
    "activated": lambda body, ts_recv: _change("activated", body, ts_recv, {}),
    "deactivated": _deactivated,
    "close_date_updated": _close_moved,
    "metadata_updated": lambda body, ts_recv: _change("rules", body, ts_recv, {}),
    "determined": _outcome_determined,
    "settled": lambda body, ts_recv: _change("closed", body, ts_recv, {"settled_ts": body.settled_ts}),
    "price_level_structure_updated": _new_price_grid,
}
