"""The simulated Polymarket on its own wire, and the real adapter against it while things go wrong."""

import asyncio
import json
from collections.abc import AsyncIterator
from hashlib import sha1
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus

from predsurv.config import CollectorConfig, Config, PolymarketConfig, VenuesConfig
from predsurv.core.errors import ConfigError
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.exchange.fault_script import ScriptedFault
from predsurv.simulate.polymarket.simulator import PolymarketSimulator, PolymarketSimulatorSettings
from predsurv.simulate.server import MESSAGE_BYTES_MAX
from predsurv.venues.polymarket.venue import PolymarketVenue
from predsurv.venues.streaming.policy import StreamPolicy
from tests.kit.given_clock import GivenClock
from tests.kit.patience import PATIENCE_S, until
from tests.kit.polymarket_judge import Judge

MS = 1_000_000
S = 1_000 * MS


@pytest.fixture
async def simulator() -> AsyncIterator[PolymarketSimulator]:
    made = PolymarketSimulator(PolymarketSimulatorSettings(markets=150, rate=1_000, keep_published=True), GivenClock())
    await made.start()
    yield made
    await made.aclose()


@pytest.fixture
async def rest(simulator: PolymarketSimulator) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=simulator.clob_url, trust_env=False) as client:
        yield client


@pytest.fixture
async def gamma(simulator: PolymarketSimulator) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=simulator.gamma_url, trust_env=False) as client:
        yield client


async def subscribed(simulator: PolymarketSimulator, *tokens: str) -> tuple[ClientConnection, list[Any]]:
    """Open a connection that asked for ``tokens``; return it and its opening books."""
    link = await connect(simulator.ws_url, proxy=None, max_size=MESSAGE_BYTES_MAX)
    await link.send(json.dumps({"type": "market", "assets_ids": tokens, "custom_feature_enabled": True}))
    return link, json.loads(await link.recv())


def tokens_of(simulator: PolymarketSimulator, count: int) -> list[str]:
    groups = sorted(simulator.exchange.groups, key=lambda group: -group.spec.weight)
    rows = [row for group in groups for book in group.books if (row := simulator.catalog.by_book(book.index))]
    return [row.tokens[0] for row in rows[:count]]


def hash_of(summary: dict[str, Any]) -> str:
    made = json.dumps({**summary, "hash": ""}, separators=(",", ":"))
    return sha1(made.encode(), usedforsecurity=False).hexdigest()


async def test_every_address_of_the_public_api_answers(simulator: PolymarketSimulator, rest: httpx.AsyncClient) -> None:
    row = simulator.catalog.rows[0]
    token, other = row.tokens
    gets: dict[str, Any] = {
        "/ok": "OK",
        "/version": {"version": 2},
        f"/tick-size?token_id={token}": {"minimum_tick_size": row.market.tick_size / 1e6},
        f"/neg-risk?token_id={token}": {"neg_risk": row.neg_risk},
        f"/last-trade-price?token_id={token}": {"price": "0.5", "side": ""},
        f"/markets-by-token/{other}": {
            "condition_id": row.condition, "primary_token_id": token, "secondary_token_id": other,
        },
    }  # fmt: skip
    for path, expected in gets.items():
        assert (await rest.get(path)).json() == expected
    book = (await rest.get("/book", params={"token_id": token})).json()
    assert book["hash"] == hash_of(book)
    bid, ask = book["bids"][-1]["price"], book["asks"][-1]["price"]
    assert (await rest.get("/price", params={"token_id": token, "side": "BUY"})).json() == {"price": bid}
    assert (await rest.get("/price", params={"token_id": token, "side": "SELL"})).json() == {"price": ask}
    assert (await rest.get("/spread", params={"token_id": token})).json()["spread"]
    body = [{"token_id": token, "side": "BUY"}, {"token_id": "999"}]
    assert (await rest.post("/books", json=body)).json() == [book]
    assert (await rest.get("/books", params={"token_ids": f"{token},999"})).json() == [book]
    assert (await rest.post("/prices", json=body)).json() == {token: {"BUY": bid}}
    middle = (await rest.get("/midpoint", params={"token_id": token})).json()["mid"]
    assert (await rest.post("/midpoints", json=body)).json() == {token: middle}
    assert list((await rest.post("/spreads", json=body)).json()) == [token]
    assert (await rest.post("/last-trades-prices", json=body)).json() == []
    assert (await rest.get(f"/markets/{row.condition}")).json()["tokens"][1]["token_id"] == other
    assert (await rest.get(f"/clob-markets/{row.condition}")).json()["t"][0] == {"t": token, "o": row.outcomes[0]}
    assert abs(int((await rest.get("/time")).text) - simulator.exchange.now // S) <= 1


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/book?token_id=123", 404, "No orderbook exists for the requested token id"),
        ("/book?token_id=abc", 400, "Invalid token id"),
        ("/markets/0xabc", 404, "market not found"),
        ("/elsewhere", 404, "not found"),
    ],
)
async def test_refusals_are_the_venues(rest: httpx.AsyncClient, path: str, status: int, error: str) -> None:
    answer = await rest.get(path)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


async def test_batches_are_limited_and_checked(rest: httpx.AsyncClient) -> None:
    many = await rest.post("/books", json=[{"token_id": "1"}] * 501)
    assert (many.status_code, many.json()["error"]) == (400, "Payload exceeds the limit")
    assert (await rest.post("/books", content=b"{")).status_code == 400


async def test_prices_and_trades_have_a_past(simulator: PolymarketSimulator, rest: httpx.AsyncClient) -> None:
    await simulator.advance(20 * S)
    assert simulator.published_log is not None
    row = next(
        row
        for row in simulator.catalog.rows
        if simulator.published_log.histories[row.condition].trades and not row.is_settled
    )
    last = simulator.published_log.histories[row.condition].trades[-1]
    said = [(await rest.get("/last-trade-price", params={"token_id": token})).json() for token in row.tokens]
    assert [float(each["price"]) for each in said] == [last.price / 1e6, pytest.approx(1 - last.price / 1e6)]
    assert {each["side"] for each in said} == {"BUY", "SELL"}
    history = (await rest.get("/prices-history", params={"market": row.tokens[0], "interval": "max"})).json()["history"]
    assert history[-1]["p"] == last.price / 1e6


async def pages(gamma: httpx.AsyncClient, path: str, name: str, **query: str) -> list[list[Any]]:
    got, cursor = [], None
    async with asyncio.timeout(PATIENCE_S):
        while True:
            params = {**query, **({"after_cursor": cursor} if cursor else {})}
            page = (await gamma.get(path, params=params)).json()
            assert "$schema" in page
            got.append(page[name])
            cursor = page.get("next_cursor")
            if cursor is None:
                return got


async def test_the_listing_is_paged_clamped_and_complete(
    simulator: PolymarketSimulator, gamma: httpx.AsyncClient
) -> None:
    got = await pages(gamma, "/markets/keyset", "markets", limit="500")
    assert [len(page) for page in got[:-1]] == [100] * (len(got) - 1)
    numbers = [row["id"] for page in got for row in page]
    assert len(numbers) == len(set(numbers)) == len(simulator.catalog.rows) + 3  # of which three are of no market
    deep = await gamma.get("/markets?offset=2001")
    said = "offset too large, use /markets/keyset for deeper pagination"
    assert (deep.status_code, deep.json()["error"]) == (422, said)
    stuck = (await gamma.get("/markets/keyset", params={"cursor": "anything"})).json()
    assert stuck["markets"] == got[0][:20]
    events = await pages(gamma, "/events/keyset", "events", limit="100")
    assert sum(len(page) for page in events) == len(simulator.catalog.events)


async def test_the_listing_filters_and_orders(simulator: PolymarketSimulator, gamma: httpx.AsyncClient) -> None:
    every = [row for page in await pages(gamma, "/markets/keyset", "markets", limit="100") for row in page]
    volumes = sorted((row["volumeNum"] for row in every if "volumeNum" in row), reverse=True)
    top = (await gamma.get("/markets/keyset", params={"order": "volumeNum", "ascending": "false", "limit": "7"})).json()
    assert [row["volumeNum"] for row in top["markets"] if "volumeNum" in row] == volumes[: len(top["markets"]) - 3]
    bar = volumes[30]
    rows = await pages(gamma, "/markets/keyset", "markets", volume_num_min=str(bar), limit="100")
    assert sum("volumeNum" in row for page in rows for row in page) == sum(volume >= bar for volume in volumes)
    wanted = simulator.catalog.rows[5]
    for name, value in (
        ("condition_ids", wanted.condition),
        ("clob_token_ids", wanted.tokens[1]),
        ("slug", wanted.slug),
    ):
        (row,) = (await gamma.get("/markets/keyset", params={name: value})).json()["markets"]
        assert row["id"] == str(wanted.number)
    await simulator.advance(15 * S)
    for closed in ("true", "false"):
        rows = await pages(gamma, "/markets/keyset", "markets", closed=closed, limit="100")
        numbers = {row["id"] for page in rows for row in page}
        for row in simulator.catalog.rows:
            assert (str(row.number) in numbers) == ((closed == "true") == (row.market.status != "active"))


async def test_rows_are_the_venues(simulator: PolymarketSimulator, gamma: httpx.AsyncClient) -> None:
    row = simulator.catalog.rows[0]
    said = (await gamma.get(f"/markets/{row.number}", params={"include_tag": "true"})).json()
    assert json.loads(said["clobTokenIds"]) == list(row.tokens)
    assert json.loads(said["outcomes"]) == ["Yes", "No"]
    assert isinstance(said["volume"], str)
    assert said["volumeNum"] == float(said["volume"])
    assert (await gamma.get(f"/markets/slug/{row.slug}")).json()["id"] == said["id"]
    assert (await gamma.get(f"/markets/{row.number}/tags")).json() == said["tags"]
    event = (await gamma.get(f"/events/{row.event.number}")).json()
    assert said["id"] in {market["id"] for market in event["markets"]}
    assert (await gamma.get("/tags", params={"limit": "1"})).json()[0]["label"]
    assert (await gamma.get("/markets/1")).status_code == 404


async def test_a_stream_has_opening_books_then_changes_and_rest_agrees(
    simulator: PolymarketSimulator, rest: httpx.AsyncClient
) -> None:
    (token,) = tokens_of(simulator, 1)
    link, (opening,) = await subscribed(simulator, token)
    assert opening["event_type"] == "book"
    assert opening["hash"] == (await rest.get("/book", params={"token_id": token})).json()["hash"]
    await simulator.advance(2 * S)
    last = ""
    async with asyncio.timeout(PATIENCE_S):
        while last != (await rest.get("/book", params={"token_id": token})).json()["hash"]:
            message = json.loads(await link.recv())
            entries = [*message.get("price_changes", ()), message]
            last = next(
                (entry["hash"] for entry in entries if entry.get("asset_id") == token and "hash" in entry), last
            )
    await link.send("PING")
    async with asyncio.timeout(PATIENCE_S):
        while await link.recv() != "PONG":
            pass
    await link.close()


async def test_connections_end_as_scripted(simulator: PolymarketSimulator) -> None:
    for kind, code in (("drop", 1006), ("1013", 1013)):
        link, _ = await subscribed(simulator, *tokens_of(simulator, 2))
        simulator.inject(ScriptedFault(0, kind, everywhere=True))
        with pytest.raises(ConnectionClosedError) as caught:
            await link.recv()
        assert (1006 if caught.value.rcvd is None else caught.value.rcvd.code) == code
        await until(lambda: not simulator.subscribers.by_number)
    assert [fault.kind for fault in simulator.fault_log.faults] == ["drop", "1013"]


async def test_a_frozen_connection_answers_pings_and_nothing_else(simulator: PolymarketSimulator) -> None:
    link, _ = await subscribed(simulator, *tokens_of(simulator, 5))
    simulator.inject(ScriptedFault(0, "freeze", 5 * S, everywhere=True))
    await simulator.advance(4 * S)
    await link.send("PING")
    assert await link.recv() == "PONG"
    await simulator.advance(2 * S)
    with pytest.raises(ConnectionClosed):
        await link.recv()


async def test_handshakes_and_requests_are_refused_as_scripted(
    simulator: PolymarketSimulator, rest: httpx.AsyncClient
) -> None:
    simulator.inject(ScriptedFault(0, "handshake429", S))
    with pytest.raises(InvalidStatus) as caught:
        await connect(simulator.ws_url, proxy=None)
    assert caught.value.response.status_code == 429
    for kind, status in (("rest429", 429), ("rest500", 500), ("resthtml", 502)):
        simulator.inject(ScriptedFault(0, kind, S))
        assert (await rest.get("/ok")).status_code == status
        await simulator.advance(S + MS)
        assert (await rest.get("/ok")).status_code == 200
    simulator.inject(ScriptedFault(0, "restcut", S))
    with pytest.raises(httpx.RemoteProtocolError):
        await rest.get("/ok")
    await simulator.advance(S + MS)
    link, _ = await subscribed(simulator, *tokens_of(simulator, 1))
    await link.close()


async def test_only_this_machine_is_answered_and_only_what_is_asked_well(simulator: PolymarketSimulator) -> None:
    async def answer(request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
        writer.write(request)
        first = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return first

    async with asyncio.timeout(PATIENCE_S):
        assert b"403" in await answer(b"GET /ok HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        assert b"400" in await answer(b"nonsense\r\n\r\n")
        assert b"404" in await answer(
            b"GET /ws/elsewhere HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
        )


async def test_a_taken_port_is_one_clear_line(simulator: PolymarketSimulator) -> None:
    other = PolymarketSimulator(PolymarketSimulatorSettings(markets=1), GivenClock())
    with pytest.raises(ConfigError, match="choose another --port"):
        await other.start(simulator.port)
    await other.aclose()


async def test_the_environment_points_everything_here(simulator: PolymarketSimulator) -> None:
    found = simulator.environment()
    prefix = "PREDSURV_VENUES__POLYMARKET__"
    addresses = {name for name in PolymarketConfig.__struct_fields__ if name.endswith("_url")}
    urls = {name: value for name, value in found.items() if name.startswith(prefix)}
    assert urls.keys() == {f"{prefix}{name.upper()}" for name in addresses}, "the venue itself is asked for nothing"
    assert all(urlsplit(url).hostname == "127.0.0.1" for url in urls.values())
    ports = {urlsplit(url).port for url in urls.values()}
    assert len(ports) == 4, "each API has its own port, and both channels share one"
    assert found.keys() - urls.keys() == {"PREDSURV_POLYMARKET_PRIVATE_KEY"}


POLICY = StreamPolicy(
    tick=20 * MS,
    backoff_base=20 * MS,
    backoff_cap=100 * MS,
    handshake_interval=MS,
    retries_per_minute=6_000,
    request_interval=20 * MS,
    book_timeout=500 * MS,
)
STEP = 50 * MS


def venue_of(simulator: PolymarketSimulator) -> PolymarketVenue:
    gamma, clob = simulator.gamma_url, simulator.clob_url
    urls = PolymarketConfig(gamma_url=gamma, clob_url=clob, data_url=gamma, ws_market_url=simulator.ws_url)
    config = Config(venues=VenuesConfig(polymarket=urls), collector=CollectorConfig(instruments_per_connection=20))
    return PolymarketVenue(config, GivenClock(), lambda: 0.5, POLICY)


async def judged(simulator: PolymarketSimulator, faults: list[ScriptedFault]) -> Judge:
    """Let the real adapter watch 60 tokens for a few seconds of market time, with ``faults`` on the way."""
    venue = venue_of(simulator)
    want = [
        InstrumentKey(
            VenueName("polymarket"), MarketId(found[0].condition), InstrumentId(found[0].tokens[place % 4 == 0])
        )
        for place, token in enumerate(tokens_of(simulator, 60))
        if (found := simulator.catalog.by_token(token)) is not None
    ]
    judge, feed = Judge(simulator, want, GivenClock().now), venue.feed()
    await feed.watch(frozenset(want), judge.mirrors)

    async def listen() -> None:
        async for batch in feed.batches():
            judge.take(batch)
            judge.probe()

    def caught_up() -> bool:
        live = [case for case in judge.cases.values() if case.live]
        return len(live) == len(want) and all(case.at == len(case.history.messages) for case in live)

    listening = asyncio.create_task(listen())
    await until(caught_up)
    for fault in [None, *faults]:
        if fault is not None:
            simulator.inject(fault)
        for _ in range(S // STEP):
            await simulator.advance(STEP)
            await GivenClock().sleep(5 * MS)
    await simulator.advance(2 * S)
    await until(caught_up)
    judge.finish()
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await feed.aclose()
    await venue.aclose()
    return judge


WRONG = (
    "unequal",
    "wrong",
    "missing",
    "orphans",
    "stranger",
    "strange_snapshots",
    "lost_while_covered",
    "trades_doubled",
    "trades_missing",
)


@pytest.mark.parametrize(
    "faults",
    [
        [],
        [ScriptedFault(0, "drop", everywhere=True), ScriptedFault(0, "1013"), ScriptedFault(0, "drop")],
        [ScriptedFault(0, "garbage")] * 6,
        [ScriptedFault(0, "delay", 2 * S), ScriptedFault(0, "duplicate", 2 * S, everywhere=True)],
    ],
    ids=["clean", "outages", "garbage", "late and doubled"],
)
async def test_the_adapter_keeps_every_row_and_declares_every_gap(
    simulator: PolymarketSimulator, faults: list[ScriptedFault]
) -> None:
    judge = await judged(simulator, faults)
    assert {name: judge.counts[name] for name in WRONG} == dict.fromkeys(WRONG, 0)
    assert judge.counts["rows"] > 500
    assert judge.counts["trades"] > judge.counts["trades_on_mirrors"] > 0
    assert judge.counts["final_equal"] == judge.counts["final_books"] == 60
    assert judge.counts["outages_covered"] == judge.counts["outages"]
