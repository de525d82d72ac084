"""The real-time data socket of the simulated Polymarket: the handshake, opening prices, updates, and nonsense."""

import json
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from predsurv.simulate.polymarket.app import WS_PATH
from predsurv.simulate.polymarket.real_time_data import OPENING_SECONDS, RTDS_PATH, SUBSCRIPTIONS_MAX
from predsurv.simulate.polymarket.simulator import PolymarketSimulator, PolymarketSimulatorSettings
from tests.kit.given_clock import GivenClock
from tests.kit.payloads import RECORDED, required

S = 1_000_000_000


@pytest.fixture
async def simulator() -> AsyncIterator[PolymarketSimulator]:
    made = PolymarketSimulator(PolymarketSimulatorSettings(markets=20, rate=20), GivenClock())
    await made.start()
    yield made
    await made.aclose()


@pytest.fixture
async def link(simulator: PolymarketSimulator) -> AsyncIterator[ClientConnection]:
    async with connect(simulator.ws_url.replace(WS_PATH, RTDS_PATH), proxy=None) as made:
        yield made


async def ask(link: ClientConnection, action: str, *subscriptions: dict[str, str]) -> None:
    """Send a request; it was executed once what comes after it is answered."""
    await link.send(json.dumps({"action": action, "subscriptions": subscriptions}))


async def heard(link: ClientConnection) -> list[Any]:
    """What was told so far: everything before the answer to a PING."""
    await link.send("PING")
    told = list[Any]()
    while (frame := await link.recv()) != "PONG":
        told.append(json.loads(frame))
    return told


def kinds(told: list[Any]) -> list[tuple[str, str, str]]:
    return [(each["topic"], each["type"], each["payload"]["symbol"]) for each in told]


@pytest.mark.parametrize("word", ["PING", "ping"])
async def test_a_ping_is_answered(link: ClientConnection, word: str) -> None:
    await link.send(word)
    assert await link.recv() == "PONG"
    await (await link.ping())


async def test_a_subscription_with_a_symbol_begins_with_the_last_minute_and_goes_on_each_second(
    simulator: PolymarketSimulator, link: ClientConnection
) -> None:
    wanted = {"topic": "crypto_prices", "type": "update", "filters": '{"symbol":"BTCUSDT"}'}
    await ask(link, "subscribe", wanted)
    (opening,) = await heard(link)
    assert kinds([opening]) == [("crypto_prices", "subscribe", "btcusdt")]
    rows = opening["payload"]["data"]
    assert len(rows) == OPENING_SECONDS
    assert {later["timestamp"] - row["timestamp"] for row, later in pairwise(rows)} == {1_000}
    await simulator.advance(S)
    (update,) = await heard(link)
    assert kinds([update]) == [("crypto_prices", "update", "btcusdt")]
    payload = update["payload"]
    assert payload["timestamp"] == rows[-1]["timestamp"] + 1_000
    assert float(payload["full_accuracy_value"]) == payload["value"]
    assert abs(payload["value"] / rows[-1]["value"] - 1) < 0.01
    await simulator.advance(S // 2)
    assert len(await heard(link)) <= 1
    await ask(link, "unsubscribe", wanted)
    await heard(link)  # it was executed
    await simulator.advance(3 * S)
    assert await heard(link) == []


async def test_without_a_filter_every_symbol_of_the_topic_is_told(
    simulator: PolymarketSimulator, link: ClientConnection
) -> None:
    await ask(link, "subscribe", {"topic": "equity_prices", "type": "*"})
    assert await heard(link) == [], "no opening prices"
    await simulator.advance(S)
    told = await heard(link)
    assert kinds(told) == [("equity_prices", "update", each) for each in ("aapl", "nvda", "spy", "tsla")]
    assert all(each["payload"]["received_at"] >= each["payload"]["timestamp"] for each in told)


async def test_a_symbol_that_several_subscriptions_name_is_told_once(
    simulator: PolymarketSimulator, link: ClientConnection
) -> None:
    await ask(
        link,
        "subscribe",
        {"topic": "crypto_prices", "type": "update", "filters": "solusdt, ETHUSDT,nothing"},
        {"topic": "crypto_prices", "type": "*", "filters": '{"symbol":"solusdt"}'},
        {"topic": "crypto_prices_chainlink", "type": "*", "filters": '{"symbol":"btc/usd"}'},
    )
    await heard(link)
    await simulator.advance(S)
    assert kinds(await heard(link)) == [
        ("crypto_prices", "update", "solusdt"),
        ("crypto_prices", "update", "ethusdt"),
        ("crypto_prices_chainlink", "update", "btc/usd"),
    ]


@pytest.mark.parametrize(
    "frame",
    [
        "no json",
        "[]",
        '{"action":"subscribe","subscriptions":[{}]}',
        '{"action":"dance","subscriptions":[{"topic":"crypto_prices"}]}',
        '{"action":"subscribe","subscriptions":[{"topic":"comments","type":"*"}]}',
        '{"action":"subscribe","subscriptions":[{"topic":"weather","type":"*"}]}',
        '{"action":"subscribe","subscriptions":[{"topic":"crypto_prices","type":"agg"}]}',
        '{"action":"subscribe","subscriptions":[{"topic":"crypto_prices","filters":"{\\"symbol\\":7}"}]}',
        "[" * 10_000,
    ],
)
async def test_what_has_nothing_to_tell_stays_silent_and_the_connection_open(
    frame: str, simulator: PolymarketSimulator, link: ClientConnection
) -> None:
    await link.send(frame)
    assert await heard(link) == []
    await simulator.advance(2 * S)
    assert await heard(link) == []


async def test_a_connection_has_so_many_subscriptions_only(
    simulator: PolymarketSimulator, link: ClientConnection
) -> None:
    many = [{"topic": "comments", "type": str(number)} for number in range(SUBSCRIPTIONS_MAX)]
    await ask(link, "subscribe", *many)
    await ask(link, "subscribe", {"topic": "equity_prices", "type": "*"})
    await heard(link)
    await simulator.advance(S)
    assert await heard(link) == []
    await ask(link, "unsubscribe", many[0])
    await ask(link, "subscribe", {"topic": "equity_prices", "type": "*"})
    await heard(link)
    await simulator.advance(S)
    assert len(await heard(link)) == 4


async def test_messages_have_the_fields_of_the_venues(simulator: PolymarketSimulator, link: ClientConnection) -> None:
    folder = required(RECORDED).polymarket / "adapter_samples"
    for topic, symbol in (("crypto_prices", "btcusdt"), ("equity_prices", "aapl")):
        await ask(link, "subscribe", {"topic": topic, "type": "*", "filters": json.dumps({"symbol": symbol})})
        (opening,) = await heard(link)
        await simulator.advance(S)
        (update,) = await heard(link)
        await ask(link, "unsubscribe", {"topic": topic, "type": "*", "filters": json.dumps({"symbol": symbol})})
        for made, kind in ((opening, "subscribe"), (update, "update")):
            sample = json.loads((folder / f"rtds_{topic}_{kind}.json").read_text())
            assert made.keys() == sample.keys()
            assert made["payload"].keys() == sample["payload"].keys()
            assert type(made["payload"].get("value", 1.0)) is type(sample["payload"].get("value", 1.0))
