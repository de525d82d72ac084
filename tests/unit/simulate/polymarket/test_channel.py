"""Each connection's messages agree with the exchange, by an independent reader."""

import json
from collections import Counter
from typing import Any

import pytest

from predsurv.core.num import parse_micros
from predsurv.exchange.exchange import Exchange
from predsurv.simulate.polymarket.books import TokenPairBook, levels
from predsurv.simulate.polymarket.catalog import SimulatedCatalog
from predsurv.simulate.polymarket.channel import MarketChannel
from predsurv.simulate.polymarket.faulty_connection import FaultyConnection
from predsurv.simulate.polymarket.published_log import PublishedLog
from predsurv.simulate.polymarket.subscribers import OPENING_TOKENS_MAX, Subscribers
from tests.kit.oracle_polymarket import book_hash
from tests.kit.recording_websocket import RecordingWebSocket

S = 1_000_000_000
MS = 1_000_000


class Simulation:
    """An exchange, its market channel and connections to it."""

    def __init__(self, markets: int = 60, rate: int = 700) -> None:
        self.exchange = Exchange(7, markets, rate)
        self.catalog = SimulatedCatalog(self.exchange)
        self.omitted: set[str] = set()
        self.published_log = PublishedLog(lambda: 0)
        self.books: dict[int, TokenPairBook] = {}
        self.subscribers = Subscribers(self.catalog, self.books, self.omitted.__contains__)
        self.channel = MarketChannel(self.exchange, self.catalog, self.subscribers, self.books, self.published_log)

    def connect(self, number: int = 1) -> RecordingWebSocket:
        websocket = RecordingWebSocket(number)
        self.subscribers.add(FaultyConnection(websocket, lambda kind, number, tokens: None))
        return websocket

    def ask(self, websocket: RecordingWebSocket, **request: object) -> list[Any]:
        """Send a request and return the messages it brings."""
        self.subscribers.on_message(websocket.number, json.dumps(request).encode())
        self.subscribers.flush(self.exchange.now)
        return websocket.take()

    def subscribe(self, websocket: RecordingWebSocket, *tokens: str, custom: bool = True) -> list[Any]:
        return self.ask(websocket, type="market", assets_ids=list(tokens), custom_feature_enabled=custom)

    def pass_time(self, seconds: int) -> None:
        until = (self.exchange.now + seconds * S) // MS * MS - 1
        self.channel.publish(self.exchange.advance(until))
        self.subscribers.flush(self.exchange.now)

    def tokens(self) -> list[str]:
        return [token for row in self.catalog.rows for token in row.tokens]


@pytest.fixture
def simulation() -> Simulation:
    return Simulation()


class Reader:
    """An independent client: keeps the books as texts and checks the last hash of every burst."""

    def __init__(self, simulation: Simulation) -> None:
        self.books: dict[str, dict[str, Any]] = {}
        self.rows = {token: row for row in simulation.catalog.rows for token in row.tokens}
        self.pending: dict[str, tuple[str, str]] = {}
        self.kinds: Counter[str] = Counter()
        self.trades: list[Any] = []
        self.checked = 0
        self.bests = 0

    def read(self, messages: list[Any]) -> None:
        for message in messages:
            self.kinds[message["event_type"]] += 1
            getattr(self, "_" + message["event_type"], lambda message: None)(message)

    def check(self, token: str) -> None:
        received, stamp = self.pending.pop(token, (None, ""))
        if received is None:
            return
        book, row = self.books[token], self.rows[token]
        made = {
            "market": row.condition,
            "asset_id": token,
            "timestamp": stamp,
            "hash": "",
            "bids": side(book["bids"], 1),
            "asks": side(book["asks"], -1),
            "min_order_size": str(row.market.min_order_size // 1_000_000),
            "tick_size": book["tick"],
            "neg_risk": row.neg_risk,
            "last_trade_price": book["last"],
        }
        assert book_hash(made) == received
        self.checked += 1

    def _book(self, message: Any) -> None:
        token = message["asset_id"]
        old = self.books.get(token, {})
        self.books[token] = {
            "bids": {level["price"]: level["size"] for level in message["bids"]},
            "asks": {level["price"]: level["size"] for level in message["asks"]},
            "tick": message.get("tick_size", old.get("tick")),
            "last": message.get("last_trade_price", old.get("last")),
        }
        self.pending[token] = (message["hash"], message["timestamp"])
        if "tick_size" in message:
            self.check(token)

    def _price_change(self, message: Any) -> None:
        for each in message["price_changes"]:
            token = each["asset_id"]
            book = self.books.get(token)
            if book is None:
                continue
            if self.pending.get(token, (each["hash"],))[0] != each["hash"]:
                self.check(token)
            side = book["bids" if each["side"] == "BUY" else "asks"]
            side[each["price"]] = each["size"]
            if each["size"] == "0":
                del side[each["price"]]
            assert (each["best_bid"], each["best_ask"]) == best(book)
            self.bests += 1
            self.pending[token] = (each["hash"], message["timestamp"])

    def _last_trade_price(self, message: Any) -> None:
        price = parse_micros(message["price"])
        self.trades.append(message)
        for token in self.rows[message["asset_id"]].tokens:  # it is the last trade of both
            shown = price if token == message["asset_id"] else 1_000_000 - price
            self.books[token]["last"] = f"{shown / 1e6:.3f}"

    def _tick_size_change(self, message: Any) -> None:
        self.check(message["asset_id"])
        self.books[message["asset_id"]]["tick"] = message["new_tick_size"]

    def _best_bid_ask(self, message: Any) -> None:
        assert (message["best_bid"], message["best_ask"]) == best(self.books[message["asset_id"]])


def side(sizes: dict[str, str], sign: int) -> list[dict[str, str]]:
    """One side of a book, worst level first: bids ascend (sign 1), asks descend."""
    ordered = sorted(sizes.items(), key=lambda level: sign * parse_micros(level[0]))
    return [{"price": price, "size": size} for price, size in ordered]


def best(book: dict[str, dict[str, str]]) -> tuple[str, str]:
    return max(book["bids"], key=parse_micros, default="0"), min(book["asks"], key=parse_micros, default="1")


def test_every_hash_and_best_price_of_a_stream_is_right() -> None:
    simulation = Simulation(rate=2_000)
    websocket, reader = simulation.connect(), Reader(simulation)
    reader.read(simulation.subscribe(websocket, *[token for row in simulation.catalog.rows for token in row.tokens]))
    for _ in range(200):
        until = (simulation.exchange.now + 50 * MS) // MS * MS - 1
        simulation.channel.publish(simulation.exchange.advance(until))
        simulation.subscribers.flush(until)
        reader.read(websocket.take())
        for token in list(reader.pending):
            reader.check(token)
    assert reader.checked > 2_000
    assert reader.bests > 2_000
    for kind in ("book", "price_change", "last_trade_price", "best_bid_ask", "tick_size_change", "new_market"):
        assert reader.kinds[kind], kind
    for row in simulation.catalog.rows:
        book = simulation.books.get(row.book)
        if book is not None and row.tokens[0] in reader.books:
            read = reader.books[row.tokens[0]]["bids"].items()
            assert {parse_micros(price): parse_micros(size) for price, size in read} == dict(levels(book.bids))


def test_each_trade_is_told_once_on_the_takers_token_to_its_subscribers() -> None:
    simulation = Simulation(rate=500)
    both, first_only = simulation.connect(1), simulation.connect(2)
    reader = Reader(simulation)
    rows = tuple(simulation.catalog.rows)
    reader.read(simulation.subscribe(both, *(token for row in rows for token in row.tokens)))
    simulation.subscribe(first_only, *(row.tokens[0] for row in rows))
    simulation.pass_time(5)
    reader.read(both.take())
    published = [trade for row in rows for trade in simulation.published_log.histories[row.condition].trades]
    assert len(reader.trades) == len(published) > 50
    firsts = {row.tokens[0] for row in rows}
    told = Counter((trade["asset_id"] in firsts, trade["side"]) for trade in reader.trades)
    assert all(told[first, side] for first in (True, False) for side in ("BUY", "SELL")), told
    assert told[True, "BUY"] + told[False, "BUY"] > told[True, "SELL"] + told[False, "SELL"]
    heard = [message for message in first_only.take() if message["event_type"] == "last_trade_price"]
    assert heard == [trade for trade in reader.trades if trade["asset_id"] in firsts]
    expected = Counter((str(each.stamp), str(bool(each.outcome)), each.size) for each in published)
    assert expected == Counter(
        (trade["timestamp"], str(trade["asset_id"] not in firsts), parse_micros(trade["size"]))
        for trade in reader.trades
    )


def test_no_change_has_the_time_of_an_opening_book_that_lacks_it(simulation: Simulation) -> None:
    started = simulation.exchange.now // MS
    opening = simulation.subscribe(simulation.connect(), *simulation.tokens())
    assert all(int(book["timestamp"]) < started for book in opening), "events may still follow in this millisecond"


def test_the_channel_follows_the_exchange(simulation: Simulation) -> None:
    simulation.pass_time(5)
    for row in simulation.catalog.rows:
        state, book = simulation.exchange.book(row.key), simulation.books.get(row.book)
        if book is not None:
            assert list(state.bids) == list(reversed(levels(book.bids)))
            assert list(state.asks) == list(reversed(levels(book.asks)))


def test_the_first_response_is_an_array_and_later_ones_are_single(simulation: Simulation) -> None:
    websocket, (a, b, c) = simulation.connect(), simulation.tokens()[:3]
    simulation.subscribers.on_message(1, json.dumps({"type": "market", "assets_ids": [a, b]}).encode())
    simulation.subscribers.on_message(1, json.dumps({"operation": "subscribe", "assets_ids": [b, c]}).encode())
    simulation.subscribers.flush(0)
    first, second = (json.loads(message) for message in websocket.got)
    assert [book["asset_id"] for book in first] == [a, b]
    assert second["asset_id"] == c  # b is subscribed already: no second book
    assert {"tick_size", "last_trade_price"} <= second.keys()


def test_unsubscribing_ends_a_token(simulation: Simulation) -> None:
    websocket, row = simulation.connect(), simulation.catalog.rows[0]
    simulation.subscribe(websocket, *row.tokens)
    simulation.ask(websocket, operation="unsubscribe", assets_ids=[row.tokens[0]])
    simulation.pass_time(3)
    tokens = {
        m["asset_id"] for m in websocket.take() if m["event_type"] in ("book", "last_trade_price", "best_bid_ask")
    }
    assert tokens <= {row.tokens[1]}
    simulation.ask(websocket, operation="unsubscribe", assets_ids=[row.tokens[1]], custom_feature_enabled=False)
    simulation.pass_time(3)
    assert {m["event_type"] for m in websocket.take()} <= {"new_market"}


def test_too_many_tokens_get_no_opening_books(simulation: Simulation) -> None:
    tokens = simulation.tokens()
    websocket = simulation.connect()
    made_up = [str(number) for number in range(OPENING_TOKENS_MAX)]
    assert simulation.subscribe(websocket, *made_up, *tokens[:4]) == []
    simulation.pass_time(3)
    assert any(m["event_type"] == "price_change" for m in websocket.take())


def test_settled_and_unknown_tokens_are_omitted_without_an_error(simulation: Simulation) -> None:
    watching = simulation.connect(2)
    simulation.subscribe(watching, *simulation.tokens())
    simulation.pass_time(20)
    over = [row for row in simulation.catalog.rows if row.is_settled]
    assert over
    websocket = simulation.connect()
    assert simulation.subscribe(websocket, *over[0].tokens, "12345") == []
    received = watching.take()
    settled = [m for m in received if m["event_type"] == "market_resolved"]
    assert {m["market"] for m in settled} == {row.condition for row in over if not row.void or row.number % 2 == 0}
    for message in settled:
        row = next(row for row in over if row.condition == message["market"])
        if row.void:
            assert message["winning_asset_id"] == message["winning_outcome"] == ""
            continue
        wins = 0 if row.payout else 1
        assert (message["winning_asset_id"], message["winning_outcome"]) == (row.tokens[wins], row.outcomes[wins])


def test_additional_messages_go_only_to_connections_that_asked_for_them(simulation: Simulation) -> None:
    plain, custom = simulation.connect(1), simulation.connect(2)
    simulation.subscribe(plain, *simulation.tokens(), custom=False)
    simulation.subscribe(custom, *simulation.tokens()[:2])
    simulation.pass_time(10)
    extras = {"best_bid_ask", "new_market", "market_resolved"}
    assert not extras & {message["event_type"] for message in plain.take()}
    assert {"best_bid_ask", "new_market"} <= {message["event_type"] for message in custom.take()}


def test_an_opening_book_can_be_omitted(simulation: Simulation) -> None:
    a, b = simulation.tokens()[:2]
    simulation.omitted.add(a)
    assert [book["asset_id"] for book in simulation.subscribe(simulation.connect(), a, b)] == [b]


def test_pings_are_answered_and_garbage_is_ignored(simulation: Simulation) -> None:
    websocket = simulation.connect()
    for message in (b"PING", b"hello", b"[1]", b'{"assets_ids":7}'):
        simulation.subscribers.on_message(1, message)
    assert websocket.got == [b"PONG"]


def test_a_closed_connection_is_sent_nothing(simulation: Simulation) -> None:
    websocket = simulation.connect()
    simulation.subscribe(websocket, *simulation.tokens())
    simulation.subscribers.remove(1)
    simulation.pass_time(2)
    assert websocket.take() == []
    assert not simulation.subscribers.by_number


def test_the_same_seed_gives_the_same_messages_however_time_is_divided() -> None:
    received = []
    for step in (7, 50):
        simulation = Simulation(20)
        websocket = simulation.connect()
        simulation.subscribe(websocket, *simulation.tokens())
        while simulation.exchange.now < simulation.exchange.origin + 3 * S:
            until = min(simulation.exchange.now + 1 + step * MS, simulation.exchange.origin + 3 * S + MS) // MS * MS - 1
            simulation.channel.publish(simulation.exchange.advance(until))
            simulation.subscribers.flush(0)
        received.append([m for m in websocket.take() if int(m["timestamp"]) < simulation.exchange.origin // MS + 2_900])
    first, second = ({unordered(message) for message in each} for each in received)
    assert len(first) > 500
    assert first == second


def unordered(message: Any) -> str:
    """A message as text, entries sorted: repeats come at other places, and some the other way round."""
    if "price_changes" in message:
        message["price_changes"].sort(key=lambda entry: entry["asset_id"])
    return json.dumps(message, sort_keys=True)
