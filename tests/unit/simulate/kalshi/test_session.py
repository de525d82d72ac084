"""The simulated connection numbers, refuses and forgets as Kalshi's does."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from predsurv.core.events import BookDelta, BookSnapshot, MarketChange, MarketEvent, MarketResolved, Trade
from predsurv.core.ids import MarketId
from predsurv.core.num import Price, Size
from predsurv.simulate.kalshi.markets import KalshiMarkets
from predsurv.simulate.kalshi.session import ClientSession
from tests.kit.simulated_kalshi_samples import KEY, NOW, TICKER, VENUE, market


@pytest.fixture
def world() -> KalshiMarkets:
    made = KalshiMarkets()
    made.add(market())
    made.add(market("sports-2", ("a", "b", "c")))
    bids = ((Price(400_000), Size(12_345_678)), (Price(390_000), Size(9_999)))
    list(made.apply(BookSnapshot(KEY, NOW, NOW, 1, 1, bids, ((Price(450_000), Size(1_000_000)),))))
    return made


def said(frames: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(frame) for frame in frames]


def command(talk: ClientSession, name: str, **params: Any) -> list[dict[str, Any]]:
    return said(talk.command(json.dumps({"id": 5, "cmd": name, "params": params})))


def change(world: KalshiMarkets, price: int = 400_000, size: int = 20_000_000) -> Iterator[Any]:
    return world.apply(BookDelta(KEY, NOW, NOW, 1, 2, "bid", Price(price), Size(size)))


def test_outcomes_become_markets(world: KalshiMarkets) -> None:
    assert [*world.books] == [TICKER, "KXSPORTS-2-A", "KXSPORTS-2-B", "KXSPORTS-2-C"]
    assert world.listed["KXSPORTS-2-A"].event == "KXSPORTS-2"
    assert world.books[TICKER].levels() == ({400_000: 12_340_000}, {450_000: 1_000_000}), "hundredths, rounded down"


def test_subscribing_brings_numbered_books(world: KalshiMarkets) -> None:
    talk = ClientSession(world)
    names = {"channels": ["orderbook_delta", "trade"], "market_tickers": [TICKER, "KXNONE"]}
    opened, book, unknown, trades = command(talk, "subscribe", **names)
    assert opened == {"id": 5, "type": "subscribed", "msg": {"channel": "orderbook_delta", "sid": 1}}
    assert (book["sid"], book["seq"], book["msg"]["market_ticker"]) == (1, 1, TICKER)
    assert book["msg"]["yes_dollars_fp"] == [["0.4000", "12.34"]]
    assert book["msg"]["no_dollars_fp"] == [["0.5500", "1.00"]]
    assert unknown["msg"] == {"market_ticker": "KXNONE", "market_id": ""}
    assert unknown["seq"] == 2
    assert trades["msg"]["sid"] == 2


def test_the_yes_scale_on_request(world: KalshiMarkets) -> None:
    talk = ClientSession(world)
    _, book = command(talk, "subscribe", channels=["orderbook_delta"], market_tickers=[TICKER], use_yes_price=True)
    assert book["msg"]["no_dollars_fp"] == [["0.4500", "1.00"]]
    (told,) = world.apply(BookDelta(KEY, NOW, NOW, 1, 2, "ask", Price(450_000), Size(0)))
    (frame,) = said(talk.tell(told))
    assert (frame["msg"]["price_dollars"], frame["msg"]["delta_fp"]) == ("0.4500", "-1.00")


def test_changes_are_signed_differences(world: KalshiMarkets) -> None:
    talk = ClientSession(world)
    command(talk, "subscribe", channels=["orderbook_delta"], market_tickers=[TICKER])
    (told,) = change(world)
    (frame,) = said(talk.tell(told))
    assert frame["seq"] == 2
    assert frame["msg"]["delta_fp"] == "7.66"
    assert not list(change(world)), "nothing changed"


def test_answers_use_numbers_up(world: KalshiMarkets) -> None:
    talk = ClientSession(world)
    command(talk, "subscribe", channels=["orderbook_delta"], market_tickers=[TICKER])
    ok, book = command(
        talk, "update_subscription", sid=1, action="add_markets", market_tickers=["KXSPORTS-2-A", TICKER]
    )
    assert (ok["type"], ok["seq"]) == ("ok", 2)
    assert (book["type"], book["seq"], book["msg"]["market_ticker"]) == ("orderbook_snapshot", 3, "KXSPORTS-2-A")
    (refused,) = command(talk, "update_subscription", sid=1, action="dance")
    assert (refused["msg"]["code"], refused["seq"]) == (13, 4)
    (again,) = command(talk, "update_subscription", sid=1, action="get_snapshot", market_tickers=[TICKER])
    assert (again["id"], again["seq"]) == (5, 5)
    (gone,) = command(talk, "update_subscription", sids=[1], action="delete_markets", market_tickers=[TICKER])
    assert gone["msg"]["market_tickers"] == ["KXSPORTS-2-A"]
    (left,) = command(talk, "unsubscribe", sids=[1])
    assert (left["type"], left["seq"]) == ("unsubscribed", 7)
    assert command(talk, "subscribe", channels=["orderbook_delta"], market_tickers=[TICKER])[0]["msg"]["sid"] == 2


@pytest.mark.parametrize(
    ("name", "params", "code"),
    [
        ("subscribe", {"channels": ["mood"]}, 8),
        ("subscribe", {"channels": ["orderbook_delta"]}, 14),
        ("update_subscription", {"sid": 9, "action": "add_markets"}, 7),
        ("unsubscribe", {"sids": [9]}, 7),
        ("dance", {}, 5),
    ],
)
def test_refusals(world: KalshiMarkets, name: str, params: dict[str, Any], code: int) -> None:
    assert command(ClientSession(world), name, **params)[0]["msg"]["code"] == code


def test_nonsense_is_refused(world: KalshiMarkets) -> None:
    assert said(ClientSession(world).command(b"{"))[0]["msg"]["code"] == 1


def test_the_limit_of_a_subscription(world: KalshiMarkets) -> None:
    talk = ClientSession(world, limit=1)
    command(talk, "subscribe", channels=["orderbook_delta"], market_tickers=[TICKER])
    (refused,) = command(talk, "update_subscription", sid=1, action="add_markets", market_tickers=["KXSPORTS-2-A"])
    assert refused["msg"]["code"] == 26
    assert talk.tickers() == [TICKER]


@pytest.mark.parametrize(("kind", "seqs"), [("gap", [3]), ("duplicate", [2, 2, 3]), ("reorder", [3, 2])])
def test_what_befalls_numbered_frames(world: KalshiMarkets, kind: str, seqs: list[int]) -> None:
    talk = ClientSession(world)
    command(talk, "subscribe", channels=["orderbook_delta"], market_tickers=[TICKER])
    assert not talk.afflict(kind)
    frames = [
        frame for size in (1_000_000, 2_000_000) for told in change(world, size=size) for frame in talk.tell(told)
    ]
    assert [frame["seq"] for frame in said(frames)] == seqs


@pytest.mark.parametrize("code", [10, 25])
def test_an_ended_subscription(world: KalshiMarkets, code: int) -> None:
    talk = ClientSession(world)
    command(talk, "subscribe", channels=["orderbook_delta"], market_tickers=[TICKER])
    (error,) = said(talk.afflict(f"error{code}"))
    assert (error["msg"]["code"], error["sid"], error["seq"]) == (code, 1, 2)
    assert not [frame for told in change(world) for frame in talk.tell(told)]


def test_trades_and_settlement_are_told(world: KalshiMarkets) -> None:
    talk = ClientSession(world)
    command(talk, "subscribe", channels=["trade", "market_lifecycle_v2"], market_tickers=[TICKER])
    events: list[MarketEvent] = [
        Trade(KEY, NOW, NOW, Price(400_000), Size(2_500_000), "sell", None),
        MarketChange(VENUE, MarketId("crypto-1"), None, NOW, NOW, "tick_size", "{}", market(), Price(1_000)),
        MarketResolved(VENUE, MarketId("crypto-1"), NOW, NOW, ((KEY.instrument_id, Price(1_000_000)),)),
    ]
    frames = said([frame for event in events for told in world.apply(event) for frame in talk.tell(told)])
    trade, grid, determined, settled = (frame["msg"] for frame in frames)
    assert (trade["yes_price_dollars"], trade["count_fp"], trade["taker_book_side"]) == ("0.4000", "2.50", "ask")
    assert grid["event_type"] == "price_level_structure_updated"
    assert (determined["result"], determined["settlement_value"]) == ("yes", "1.0000")
    assert settled["event_type"] == "settled"
    assert [frame["seq"] for frame in frames] == [1, 1, 2, 3]
