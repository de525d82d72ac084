"""The user channel tells each key of its own orders in the markets that it asked for."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from predsurv.exchange.fault_script import ScriptedFault
from predsurv.simulate.polymarket.simulator import PolymarketSimulator
from predsurv.simulate.polymarket.trading import user_channel
from predsurv.simulate.polymarket.trading.user_channel import UserChannel
from tests.kit.desk_polymarket import DeskTrader, silent_simulator
from tests.kit.polymarket_trader import quoted
from tests.kit.recording_websocket import RecordingWebSocket

S = 1_000_000_000
LOW: Mapping[str, int] = {"price": 20_000, "size": 10_000_000}
DROPPED = (1006, "")


@pytest.fixture
def simulator() -> PolymarketSimulator:
    return silent_simulator()


@pytest.fixture
def trader(simulator: PolymarketSimulator) -> DeskTrader:
    return DeskTrader(simulator)


@pytest.fixture
def channel(trader: DeskTrader) -> UserChannel:
    return trader.service.user_channel


def opened(channel: UserChannel, number: int = 1, first: bytes = b"") -> RecordingWebSocket:
    websocket = RecordingWebSocket(number)
    channel.add(websocket)
    if first:
        channel.on_message(websocket, first)
    return websocket


def ask(channel: UserChannel, websocket: RecordingWebSocket, **request: Any) -> None:
    channel.on_message(websocket, msgspec.json.encode(request))


def test_a_ping_is_answered_before_and_after_the_proof(channel: UserChannel, trader: DeskTrader) -> None:
    websocket = opened(channel)
    channel.on_message(websocket, b"PING")
    channel.on_message(websocket, trader.api_key.subscription())
    channel.on_message(websocket, b"PING")
    assert (websocket.got, websocket.ended) == ([b"PONG", b"PONG"], None)


@pytest.mark.parametrize("name", ["apiKey", "secret", "passphrase"])
def test_a_wrong_part_of_the_key_ends_the_connection(channel: UserChannel, trader: DeskTrader, name: str) -> None:
    websocket = opened(channel)
    ask(channel, websocket, type="user", auth=trader.credentials | {name: "wrong"})
    assert (websocket.got, websocket.ended) == ([], DROPPED)


@pytest.mark.parametrize("first", [b"", b"{}", b"nonsense", b"\xff", b'{"operation":"subscribe","markets":["0x1"]}'])
def test_a_first_frame_without_a_key_ends_the_connection(channel: UserChannel, first: bytes) -> None:
    websocket = opened(channel)
    channel.on_message(websocket, first)
    assert websocket.ended == DROPPED


def test_what_is_no_request_is_ignored_once_a_key_was_proved(
    channel: UserChannel, trader: DeskTrader, simulator: PolymarketSimulator
) -> None:
    websocket = opened(channel, first=trader.api_key.subscription())
    for frame in (b"nonsense", b"[]", b'{"operation":"dance","markets":["0x1"]}', b'{"operation":"subscribe"}'):
        channel.on_message(websocket, frame)
    order = trader.placed(quoted(simulator), **LOW)
    assert [message["id"] for message in websocket.take()] == [order]
    assert websocket.ended is None


def test_markets_are_chosen_at_first_and_changed_later(
    channel: UserChannel, trader: DeskTrader, simulator: PolymarketSimulator
) -> None:
    row = quoted(simulator)
    other = quoted(simulator, lambda each: each.number != row.number)
    websocket = opened(channel, first=trader.api_key.subscription([row.condition]))

    def heard() -> list[str]:
        trader.placed(row, **LOW)
        trader.placed(other, **LOW)
        return [message["market"] for message in websocket.take()]

    assert heard() == [row.condition]
    ask(channel, websocket, operation="subscribe", markets=[other.condition])
    assert heard() == [row.condition, other.condition]
    ask(channel, websocket, operation="unsubscribe", markets=[row.condition, "0x1"])
    assert heard() == [other.condition]


def test_a_subscriber_of_all_markets_who_names_one_hears_only_that(
    channel: UserChannel, trader: DeskTrader, simulator: PolymarketSimulator
) -> None:
    row = quoted(simulator)
    websocket = opened(channel, first=trader.api_key.subscription())
    ask(channel, websocket, operation="unsubscribe", markets=[row.condition])
    trader.placed(row, **LOW)
    assert len(websocket.take()) == 1, "all markets are no list to take one from"
    ask(channel, websocket, operation="subscribe", markets=["0x1"])
    trader.placed(row, **LOW)
    assert websocket.take() == []


def test_each_hears_of_the_own_orders_only(
    channel: UserChannel, trader: DeskTrader, simulator: PolymarketSimulator
) -> None:
    other = DeskTrader(simulator, "0x" + "5a" * 32)
    mine = opened(channel, 1, trader.api_key.subscription())
    theirs = opened(channel, 2, other.api_key.subscription())
    unproved = opened(channel, 3)
    order = trader.placed(quoted(simulator), **LOW)
    trader.ask("DELETE", "/order", {"orderID": order})
    told = [(message["id"], message["type"], message["status"]) for message in mine.take()]
    assert told == [(order, "PLACEMENT", "LIVE"), (order, "CANCELLATION", "CANCELED")]
    assert (theirs.take(), unproved.take()) == ([], [])


def test_messages_are_lost_or_doubled_while_a_fault_lasts(
    channel: UserChannel, trader: DeskTrader, simulator: PolymarketSimulator
) -> None:
    websocket = opened(channel, first=trader.api_key.subscription())
    simulator.inject(ScriptedFault(0, "userduplicate", S))
    order = trader.placed(quoted(simulator), **LOW)
    assert [message["id"] for message in websocket.take()] == [order, order]
    simulator.inject(ScriptedFault(0, "userfreeze", S))
    trader.placed(quoted(simulator), **LOW)
    assert websocket.take() == []


def test_a_drop_ends_every_connection_and_the_gone_hear_nothing(
    channel: UserChannel, trader: DeskTrader, simulator: PolymarketSimulator
) -> None:
    links = [opened(channel, number, trader.api_key.subscription()) for number in (1, 2)]
    simulator.inject(ScriptedFault(0, "userdrop", 0))
    assert [link.ended for link in links] == [DROPPED, DROPPED]
    channel.remove(links[0])
    channel.on_message(links[0], b"PING")
    trader.placed(quoted(simulator), **LOW)
    assert links[0].got == []


def test_connections_beyond_the_most_are_dropped(
    channel: UserChannel, trader: DeskTrader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_channel, "_SUBSCRIBER_LIMIT", 1)
    first, second = opened(channel, 1, trader.api_key.subscription()), opened(channel, 2)
    assert (first.ended, second.ended) == (None, DROPPED)
