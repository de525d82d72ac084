"""What is requested of REST, and what the answers lead to."""

from collections.abc import Mapping, Sequence

import msgspec

from predsurv.core.errors import TransientError
from predsurv.core.events import MarketChange, MarketEvent, MarketResolved, Quote
from predsurv.net.clock import ManualClock
from predsurv.venues.polymarket import rest_audit
from predsurv.venues.polymarket.decoder import PolymarketCodec
from predsurv.venues.polymarket.rest import ClobMarket, ClobToken
from predsurv.venues.polymarket.rest_audit import RestAudit
from predsurv.venues.polymarket.rest_comparison import BookSummary
from predsurv.venues.polymarket.shared_state import PolymarketSharedState
from tests.kit.oracle_polymarket import Venue, key

S = 1_000_000_000


class Bench:
    """An audit, the venue whose REST it asks, and a codec that follows that venue."""

    def __init__(self, count: int, *, opened: bool = True) -> None:
        self.venue = Venue(count)
        self.shared = PolymarketSharedState()
        self.clock = ManualClock(jumps=True)
        self.codec = PolymarketCodec(1, self.shared)
        self.codec.requests(self.venue.keys, frozenset())
        if opened:
            self.receive([self.venue.books(self.venue.tokens)])
        self.requested: list[list[str]] = []
        self.markets: list[str] = []
        self.settled = ClobMarket()
        self.down = False
        self.events: list[MarketEvent] = []
        self.audit = RestAudit(self, self.shared, self.clock, self.venue.rng.random)

    def receive(self, frames: list[bytes]) -> bool:
        out: list[MarketEvent] = []
        for frame in frames:
            self.codec.decode([frame], 0, out)
        return self.codec.audit(0, self.clock.monotonic(), out)

    async def books(self, tokens: Sequence[str]) -> Mapping[str, BookSummary]:
        self.requested.append(list(tokens))
        if self.down:
            raise TransientError("down")
        known = [self.venue.tokens[token].summary() for token in tokens if token in self.venue.tokens]
        return {made["asset_id"]: msgspec.convert(made, BookSummary, strict=False) for made in known}

    async def market(self, market_id: str) -> ClobMarket:
        self.markets.append(market_id)
        return self.settled

    def put_events(self, events: Sequence[MarketEvent]) -> None:
        self.events += events

    async def rounds(self, count: int) -> None:
        for _ in range(count):
            await self.audit.round(self)
            await self.clock.sleep(4 * S)


async def test_every_book_is_compared_within_a_minute() -> None:
    bench = Bench(400)
    bench.receive(bench.venue.burst("100000"))
    for _ in range(12):
        await bench.rounds(1)
        bench.receive(bench.venue.burst("100000"))
    assert {token for tokens in bench.requested for token in tokens} == set(bench.venue.tokens)
    assert all(len(tokens) <= rest_audit.TOKENS_MAX for tokens in bench.requested)
    assert bench.shared.counts.differed == 0
    assert bench.shared.counts.probed >= 400


async def test_nothing_is_asked_about_tokens_that_are_heard_for_their_trades() -> None:
    bench = Bench(3)
    mirrors = {each: key(f"9{each.instrument_id}") for each in bench.venue.keys}
    bench.shared.set_mirrors(mirrors)
    bench.codec.requests(bench.venue.keys, bench.venue.keys)
    bench.receive([bench.venue.books(bench.venue.tokens)])
    await bench.rounds(20)
    asked = {token for tokens in bench.requested for token in tokens}
    assert asked == set(bench.venue.tokens)
    assert bench.markets == []
    assert {event.kind for event in bench.events if isinstance(event, MarketChange)} == {"tick_size"}
    assert len(bench.events) == 1, "the smallest order, once"


async def test_the_most_active_book_is_compared_in_every_round() -> None:
    bench = Bench(300)
    for _ in range(5):
        bench.receive(bench.venue.burst("100042"))
        await bench.rounds(1)
    assert all("100042" in tokens for tokens in bench.requested)


async def test_silence_is_confirmed_when_all_books_agree() -> None:
    bench = Bench(30)
    await bench.clock.sleep(10 * S)
    await bench.rounds(1)
    assert sorted(bench.requested[0]) == sorted(bench.venue.tokens)
    assert bench.receive([])
    assert not bench.receive([]), "once"


async def test_silence_is_not_confirmed_when_one_book_differs() -> None:
    bench = Bench(30)
    await bench.clock.sleep(10 * S)
    bench.venue.burst("100007")
    await bench.rounds(1)
    assert not bench.receive([])


async def test_an_instrument_without_a_book_gets_best_prices() -> None:
    bench = Bench(2, opened=False)
    await bench.rounds(1)
    assert {(event.key, event.bid, event.ask) for event in bench.events if isinstance(event, Quote)} == {
        (each, 490_000, 510_000) for each in bench.venue.keys
    }


async def test_failed_requests_are_counted_and_nothing_else() -> None:
    bench = Bench(250)
    await bench.clock.sleep(10 * S)
    bench.down = True
    await bench.rounds(2)
    assert bench.shared.counts.unanswered >= 3
    assert bench.events == []
    assert not bench.receive([])


async def test_a_settlement_missing_on_the_stream_is_published_once() -> None:
    bench = Bench(2, opened=False)
    gone = key("100000")
    del bench.venue.tokens["100000"]
    bench.settled = ClobMarket(True, None, [ClobToken("100000", True), ClobToken("x", False)])
    await bench.rounds(30)
    (resolved,) = [event for event in bench.events if isinstance(event, MarketResolved)]
    assert resolved.market_id == gone.market_id
    assert dict(resolved.payouts) == {"100000": 1_000_000, "x": 0}
    assert len(bench.markets) <= 4


async def test_a_closed_market_without_a_winner_is_over_and_its_payout_an_open_question() -> None:
    bench = Bench(2, opened=False)
    del bench.venue.tokens["100000"]
    bench.settled = ClobMarket(True, None, [ClobToken("100000", False), ClobToken("x", False)])
    await bench.rounds(30)
    (closed,) = [event for event in bench.events if isinstance(event, MarketChange) and event.kind == "closed"]
    assert closed.market_id == key("100000").market_id
    assert list(bench.shared.questions.unsettled) == [closed.market_id]


def changes(bench: Bench) -> list[MarketChange | MarketResolved]:
    return [event for event in bench.events if isinstance(event, MarketChange | MarketResolved)]


def emptied(bench: Bench, token: str) -> None:
    """Let the venue take every level of a book away, as it does before a market settles, and the codec hear that."""
    bench.venue.tokens[token].sides = {"BUY": {}, "SELL": {}}
    bench.receive([bench.venue.books([token])])


async def test_a_market_whose_book_lost_every_level_is_asked_whether_it_is_over() -> None:
    bench = Bench(3)
    emptied(bench, "100001")
    await bench.rounds(2)
    assert bench.markets == [key("100001").market_id]
    assert not any(isinstance(event, MarketResolved) or event.kind == "closed" for event in changes(bench))
    bench.settled = ClobMarket(True, None, [ClobToken("100001", True), ClobToken("x", False)])
    await bench.rounds(12)
    (resolved,) = [event for event in bench.events if isinstance(event, MarketResolved)]
    assert resolved.market_id == key("100001").market_id


async def test_a_market_whose_book_rest_has_no_more_is_asked_whether_it_is_over() -> None:
    bench = Bench(3)
    del bench.venue.tokens["100002"]
    bench.settled = ClobMarket(True, None, [ClobToken("100002", False), ClobToken("x", True)])
    await bench.rounds(26)
    (resolved,) = [event for event in bench.events if isinstance(event, MarketResolved)]
    assert resolved.market_id == key("100002").market_id


def ticks(bench: Bench) -> list[int | None]:
    return [event.tick_size for event in bench.events if isinstance(event, MarketChange) and event.kind == "tick_size"]


async def test_a_tick_size_that_only_rest_states_is_told_once() -> None:
    bench = Bench(1, opened=False)
    bench.venue.tokens["100000"].facts["tick_size"] = "0.001"
    await bench.rounds(3)
    assert ticks(bench) == [1_000]


async def test_rest_does_not_take_back_a_tick_size_that_the_stream_has_just_told() -> None:
    bench = Bench(1)
    message = {
        "event_type": "tick_size_change",
        "asset_id": "100000",
        "old_tick_size": "0.01",
        "new_tick_size": "0.001",
    }
    out: list[MarketEvent] = []
    bench.codec.decode([msgspec.json.encode({**message, "timestamp": "1"})], bench.clock.now(), out)
    assert [event.tick_size for event in out if isinstance(event, MarketChange)] == [1_000]
    await bench.rounds(10)
    assert set(ticks(bench)) == {1_000}
    await bench.rounds(10)
    assert ticks(bench)[-1] == 10_000, "after a minute REST is no longer behind"


async def test_the_smallest_order_that_rest_states_is_told_with_the_tick_when_it_is_news() -> None:
    bench = Bench(1)
    await bench.rounds(3)
    bench.venue.tokens["100000"].facts["min_order_size"] = "15"
    await bench.rounds(20)
    told = [(event.tick_size, event.min_order_size) for event in bench.events if isinstance(event, MarketChange)]
    assert told == [(10_000, 5_000_000), (10_000, 15_000_000)]


async def test_an_unreadable_tick_size_of_rest_is_passed_over() -> None:
    bench = Bench(1, opened=False)
    bench.venue.tokens["100000"].facts["tick_size"] = "fine"
    await bench.rounds(3)
    assert [tick for tick in ticks(bench) if tick is None] == []
    assert len({event.key for event in bench.events if isinstance(event, Quote)}) == 1
