"""The simulated exchange keeps the venue's hours: what it says, and does not say, when trading ends."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from predsurv.core.events import (
    BookDelta,
    BookSnapshot,
    MarketChange,
    MarketChangeKind,
    MarketEvent,
    MarketResolved,
    Trade,
)
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId
from predsurv.core.market import Market
from predsurv.core.num import Price, Size
from predsurv.simulate.kalshi.markets import ChannelMessage, KalshiMarkets, move_close
from predsurv.simulate.kalshi.rest_api import respond
from predsurv.venues.kalshi.exchange_status import next_pause, read_phase
from predsurv.venues.kalshi.rest_wire import read_schedule
from tests.kit.simulated_kalshi_samples import KEY, NOW, TICKER, market

S = 1_000_000_000
CLOSES = NOW + 300 * S
BOOK = (((Price(400_000), Size(5_000_000)),), ((Price(450_000), Size(5_000_000)),))
LEVELS = {"yes_dollars": [["0.4000", "5.00"]], "no_dollars": [["0.5500", "5.00"]]}


def five_minutes() -> Market:
    return replace(market(), close_time=CLOSES)


def listed(settles_after: int = 0) -> KalshiMarkets:
    """Return a venue with one five-minute market and its book."""
    markets = KalshiMarkets(settles_after)
    markets.add(five_minutes())
    list(markets.apply(BookSnapshot(KEY, NOW, NOW, 1, 1, *BOOK)))
    return markets


def told(markets: KalshiMarkets, *events: MarketEvent) -> list[ChannelMessage]:
    return [message for event in events for message in markets.apply(event)]


def get(markets: KalshiMarkets, path: str, **query: str) -> Any:
    return json.loads(respond(markets, path, {name: [value] for name, value in query.items()}).body)


def book(markets: KalshiMarkets) -> Any:
    return get(markets, f"/markets/{TICKER}/orderbook")["orderbook_fp"]


def delta(at: int, size: int = 0) -> BookDelta:
    return BookDelta(KEY, at, at, 1, 2, "bid", Price(400_000), Size(size))


def trade(at: int) -> Trade:
    return Trade(KEY, at, at, Price(450_000), Size(1_000_000), "buy", None)


def test_a_market_that_closes_says_nothing_and_keeps_its_quotes() -> None:
    markets = listed()
    closed = replace(five_minutes(), status="closed", tradable=False)
    change = MarketChange(KEY.venue, KEY.market_id, None, CLOSES, CLOSES, "closed", "{}", market=closed)
    assert told(markets, delta(CLOSES), trade(CLOSES), change, delta(CLOSES + S)) == []
    assert book(markets) == LEVELS
    assert markets.book(TICKER) is not None, "a client that subscribes now gets the dead quotes"
    (row,) = get(markets, "/markets")["markets"]
    assert (row["status"], row["yes_bid_dollars"], row["result"]) == ("closed", "0.4000", "")
    assert not get(markets, "/markets/trades")["trades"]


def test_until_its_close_time_a_market_trades() -> None:
    markets = listed()
    kinds = [message.kind for message in told(markets, delta(CLOSES - 1), trade(CLOSES - 1))]
    assert kinds == ["orderbook_delta", "trade"]


def test_a_market_is_determined_first_and_settles_later() -> None:
    markets = listed(settles_after=240 * S)
    at = CLOSES + 300 * S
    resolved = MarketResolved(KEY.venue, KEY.market_id, at, at, ((KEY.instrument_id, Price(1_000_000)),))
    assert [message.body["event_type"] for message in told(markets, resolved)] == ["determined"]
    assert get(markets, "/markets")["markets"][0]["status"] == "determined"
    assert list(markets.settle(at + 239 * S)) == []
    assert book(markets) == LEVELS
    (settled,) = markets.settle(at + 240 * S)
    assert settled.body["event_type"] == "settled"
    assert markets.book(TICKER) is None
    (row,) = get(markets, "/markets")["markets"]
    assert (row["status"], row["result"]) == ("finalized", "yes")


@pytest.mark.parametrize(("kind", "phase"), [("pause", "cancel_only"), ("halt", "closed")])
def test_while_the_exchange_pauses_nothing_trades_and_quotes_stay(kind: str, phase: str) -> None:
    markets = listed()
    markets.trading.begin(kind, NOW, 60 * S)
    assert told(markets, delta(NOW + S), trade(NOW + S)) == []
    assert book(markets) == LEVELS
    status = read_phase(respond(markets, "/exchange/status", {}).body, NOW)
    assert (status.phase, status.resumes) == (phase, NOW + 60 * S)
    schedule = read_schedule(respond(markets, "/exchange/schedule", {}).body).schedule
    pause = next_pause(schedule, NOW)
    assert pause is not None
    assert (pause.start, pause.end) == (NOW, NOW + 60 * S)
    assert not markets.trading.end(NOW + 59 * S)
    assert markets.trading.end(NOW + 60 * S)
    assert told(markets, delta(NOW + 61 * S)) != []
    assert read_phase(respond(markets, "/exchange/status", {}).body, NOW).phase == "open"


def test_pauses_that_overlap_end_with_the_last() -> None:
    markets = listed()
    markets.trading.begin("pause", NOW, 60 * S)
    markets.trading.begin("halt", NOW + S, 10 * S)
    assert not markets.trading.end(NOW + 20 * S)
    assert read_phase(respond(markets, "/exchange/status", {}).body, NOW).phase == "cancel_only"
    assert markets.trading.end(NOW + 60 * S)


def test_the_list_of_changes_has_what_changed() -> None:
    markets = listed()
    markets.add(market("crypto-2"), NOW + 50 * S)
    since = str((NOW + 50 * S) // S)
    assert [row["ticker"] for row in get(markets, "/markets", min_updated_ts=since)["markets"]] == ["KXCRYPTO-2"]
    markets.add(five_minutes(), NOW + 60 * S)
    assert len(get(markets, "/markets", min_updated_ts=since)["markets"]) == 2
    assert len(get(markets, "/markets", min_created_ts=since)["markets"]) == 1


def test_a_close_time_that_is_moved_is_announced_and_holds() -> None:
    markets = listed()
    message = move_close(markets, TICKER, NOW + 60 * S, NOW + S)
    assert message.body == {"market_ticker": TICKER, "event_type": "close_date_updated", "close_ts": NOW // S + 60}
    told(markets, MarketChange(KEY.venue, KEY.market_id, None, NOW, NOW, "rules", "{}", market=five_minutes()))
    assert told(markets, delta(NOW + 60 * S), trade(NOW + 60 * S)) == []
    assert told(markets, delta(NOW + 59 * S)) != []


def test_how_a_market_pays_is_listed() -> None:
    markets = listed()
    (plain,) = get(markets, "/markets")["markets"]
    assert (plain["market_type"], plain["settlement_bounds_type"]) == ("binary", "default")
    markets.listed[TICKER].market_type, markets.listed[TICKER].floor = "scalar", "0.1000"
    (odd,) = get(markets, "/markets")["markets"]
    assert (odd["market_type"], odd["settlement_bounds_type"]) == ("scalar", "floor")
    assert odd["settlement_floor_dollars"] == "0.1000"


def test_trades_are_listed_from_a_time_on() -> None:
    markets = listed()
    told(markets, *(trade(NOW + number * S) for number in range(1, 5)))
    rows = get(markets, "/markets/trades", min_ts=str(NOW // S + 3))["trades"]
    assert [row["trade_id"][:8] for row in rows] == ["00000004", "00000003"], "newest first"


def test_what_the_venue_does_not_have_is_not_told() -> None:
    markets = listed()
    other = replace(trade(NOW), key=InstrumentKey(KEY.venue, MarketId("none"), InstrumentId("none")))
    assert told(markets, other, replace(trade(NOW), size=Size(9_999))) == []
    unknown = MarketChange(KEY.venue, KEY.market_id, None, NOW, NOW, "activated", "{}")
    assert told(markets, unknown) == [], "without the market's new record"
    assert not get(markets, "/markets/trades")["trades"]


def test_a_trade_whose_taker_is_unknown_names_none() -> None:
    (message,) = told(listed(), replace(trade(NOW), taker_side=None))
    assert not {"taker_side", "taker_outcome_side", "taker_book_side"} & message.body.keys()
    assert (message.body["yes_price_dollars"], message.body["count_fp"]) == ("0.4500", "1.00")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("activated", {"market_ticker": TICKER, "event_type": "activated"}),
        ("paused", {"market_ticker": TICKER, "event_type": "deactivated", "is_deactivated": True}),
        ("rules", {"market_ticker": TICKER, "event_type": "metadata_updated"}),
        ("fee", {"event_ticker": TICKER, "fee_type_override": "quadratic", "fee_multiplier_override": 1}),
    ],
)
def test_a_change_is_announced_in_the_venues_words(kind: MarketChangeKind, body: dict[str, Any]) -> None:
    change = MarketChange(KEY.venue, KEY.market_id, None, NOW, NOW, kind, "{}", market=five_minutes())
    (message,) = told(listed(), change)
    assert message.body == body
    assert message.kind == ("event_fee_update" if kind == "fee" else "market_lifecycle_v2")
