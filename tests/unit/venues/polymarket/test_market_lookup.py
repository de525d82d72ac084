"""When new markets trade, and what markets without an announced winner pay, is found out over REST."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest

from predsurv.core.errors import TransientError
from predsurv.core.events import MarketChange, MarketEvent, MarketResolved
from predsurv.core.market import Market
from predsurv.net.clock import ManualClock
from predsurv.state.market_facts import MarketFacts
from predsurv.venues.polymarket import market_lookup
from predsurv.venues.polymarket.decoder import PolymarketCodec
from predsurv.venues.polymarket.market_lookup import AnnouncedMarketLookup
from predsurv.venues.polymarket.rest import ClobMarket, ClobTerms, read_market, read_terms
from predsurv.venues.polymarket.rest_comparison import BookSummary
from predsurv.venues.polymarket.shared_state import PolymarketSharedState
from tests.kit.polymarket_frames import key, wire

S = 1_000_000_000


def name(number: int) -> str:
    return f"0x{number:064x}"


def tokens(number: int) -> list[str]:
    return [f"{number}1", f"{number}2"]


def announcement(number: int, **changes: Any) -> dict[str, Any]:
    facts = {"condition_id": name(number), "outcomes": ["Up", "Down"], "clob_token_ids": tokens(number), "active": True}
    told = {"question": f"Q{number}", "order_price_min_tick_size": "0.01", "event_type": "new_market"}
    return {**facts, **told, "timestamp": "1795970000000", **changes}


def terms(number: int, **changes: Any) -> ClobTerms:
    named = [{"t": token, "o": label} for token, label in zip(tokens(number), ("Up", "Down"), strict=True)]
    facts = {"c": name(number), "t": named, "mos": 15, "mts": 0.001, "nr": True, "fd": {"r": 0.07, "e": 1, "to": True}}
    return read_terms(
        msgspec.json.encode({**facts, "itode": 250, "sd": 0, "gst": None, "ao": True, "v": "v1", **changes})
    )


def state(number: int, **changes: Any) -> ClobMarket:
    named = [{"token_id": token, "outcome": label} for token, label in zip(tokens(number), ("Up", "Down"), strict=True)]
    flags = {"active": True, "closed": False, "archived": False, "enable_order_book": True, "accepting_orders": True}
    facts = {"condition_id": name(number), "tokens": named, "minimum_order_size": 15, "minimum_tick_size": 0.001}
    return read_market(msgspec.json.encode({**flags, **facts, "seconds_delay": 3, "game_start_time": None, **changes}))


class Bench:
    """A lookup, the REST that it asks, and the channel that announces."""

    def __init__(self) -> None:
        self.shared = PolymarketSharedState()
        self.clock = ManualClock(jumps=True)
        self.codec = PolymarketCodec(1, self.shared, announcements=True)
        self.codec.requests({key("1")}, frozenset())
        self.lookup = AnnouncedMarketLookup(self, self.shared, self.clock)
        self.down = False
        self.known_terms: dict[str, ClobTerms] = {}
        self.states: dict[str, ClobMarket] = {}
        self.with_books: set[str] = set()
        self.asked: list[str] = []
        self.events: list[MarketEvent] = []

    async def new_market(self, market_id: str) -> ClobMarket | None:
        self.asked.append(market_id)
        self._fail()
        return self.states.get(market_id)

    async def terms(self, market_id: str) -> ClobTerms | None:
        self._fail()
        return self.known_terms.get(market_id)

    async def books(self, tokens: Sequence[str]) -> Mapping[str, BookSummary]:
        self._fail()
        assert len(tokens) <= market_lookup.BOOKS_TOKENS_MAX
        return {token: BookSummary(token, 1, [], []) for token in tokens if token in self.with_books}

    def put_events(self, events: Sequence[MarketEvent]) -> None:
        self.events += events

    def _fail(self) -> None:
        if self.down:
            raise TransientError("down")

    def announce(self, *messages: dict[str, Any]) -> None:
        self.codec.decode([wire(message) for message in messages], self.clock.now(), self.events)

    async def seconds(self, count: int) -> None:
        await self.clock.sleep(S // 1_000)
        for _ in range(count):
            self.lookup.begin_round(self)
            await self.lookup.finished()
            await self.clock.sleep(S)

    def kinds(self) -> list[str]:
        return [event.kind if isinstance(event, MarketChange) else type(event).__name__ for event in self.events]

    def told(self, kind: str) -> Market:
        (found,) = [each.market for each in self.events if isinstance(each, MarketChange) and each.kind == kind]
        assert found is not None
        return found

    def known(self, number: int) -> Market:
        facts = MarketFacts(each for each in self.events if isinstance(each, MarketChange | MarketResolved))
        (market_id,) = [each for each in facts.market_ids() if each == name(number)]
        found = facts.at(market_id, self.clock.now())
        assert found is not None
        return found.market


async def test_a_market_that_trades_already_is_told_at_once_with_its_terms() -> None:
    bench = Bench()
    bench.known_terms[name(1)] = terms(1)
    bench.announce(announcement(1))
    await bench.seconds(30)
    assert bench.kinds() == ["created", "activated"]
    market = bench.known(1)
    assert (market.status, market.tradable, market.question) == ("active", True, "Q1")
    assert (market.tick_size, market.min_order_size, market.neg_risk) == (1_000, 15_000_000, True)
    assert (market.fee.rate, market.taker_delay) == (70_000, 250_000_000)
    assert not {"status", "tradable", "fee", "tick_size", "min_order_size", "taker_delay", "neg_risk"} & {
        *market.assumed
    }
    (activated,) = [event for event in bench.events if isinstance(event, MarketChange) and event.kind == "activated"]
    assert activated.ts_recv - bench.events[0].ts_recv <= 2 * S
    assert not bench.asked, "the terms say enough"


async def test_a_market_known_to_one_endpoint_only_is_told_all_the_same() -> None:
    bench = Bench()
    bench.states[name(1)] = state(1)
    bench.announce(announcement(1))
    await bench.seconds(3)
    market = bench.told("activated")
    assert (market.tick_size, market.min_order_size, market.taker_delay) == (1_000, 15_000_000, 3_000_000_000)
    assert "fee" in market.assumed


@pytest.mark.parametrize("down", [True, False])
async def test_a_market_that_rest_says_nothing_of_is_taken_at_its_word(down: bool) -> None:
    bench = Bench()
    bench.down = down
    bench.announce(announcement(1))
    await bench.seconds(10)
    assert bench.kinds() == ["created", "activated"]
    market = bench.told("activated")
    assert (market.status, market.tradable, market.key(0).instrument_id) == ("active", True, "11")
    assert {"status", "tradable", "min_order_size"} <= {*market.assumed}
    assert bench.known(1).tradable
    assert (bench.shared.questions.counts.lookups_unanswered > 0) == down
    (created, activated) = bench.events
    assert activated.ts_recv - created.ts_recv <= 6 * S


async def test_what_was_taken_at_its_word_is_completed_when_rest_knows_it() -> None:
    bench = Bench()
    bench.announce(announcement(1))
    await bench.seconds(10)
    bench.known_terms[name(1)] = terms(1)
    await bench.seconds(70)
    assert bench.kinds() == ["created", "activated", "listed"]
    assert (bench.known(1).min_order_size, bench.known(1).tradable) == (15_000_000, True)
    assert "tradable" not in bench.known(1).assumed
    assert not bench.shared.questions.new


async def test_what_was_wrongly_taken_at_its_word_is_taken_back_until_it_trades() -> None:
    bench = Bench()
    bench.announce(announcement(1))
    await bench.seconds(6)
    bench.states[name(1)] = state(1, accepting_orders=False)
    await bench.seconds(20)
    assert bench.kinds() == ["created", "activated", "paused"]
    assert not bench.known(1).tradable
    bench.states[name(1)] = state(1)
    await bench.seconds(70)
    assert bench.kinds()[3:] == ["activated"]
    assert bench.known(1).tradable


async def test_a_market_that_does_not_accept_orders_yet_is_told_soon_after_it_has_a_book() -> None:
    bench = Bench()
    bench.states[name(1)] = state(1, accepting_orders=False)
    bench.announce(announcement(1))
    await bench.seconds(600)
    assert bench.kinds() == ["created"]
    assert len(bench.asked) < 30
    opened = bench.clock.now()
    bench.states[name(1)] = state(1)
    bench.with_books.add("11")
    await bench.seconds(10)
    assert bench.kinds() == ["created", "activated"]
    assert bench.events[-1].ts_recv - opened <= 10 * S


async def test_a_market_announced_as_inactive_is_not_taken_at_its_word() -> None:
    bench = Bench()
    bench.announce(announcement(1, active=False))
    await bench.seconds(60)
    assert bench.kinds() == ["created"]
    bench.known_terms[name(1)] = terms(1)
    await bench.seconds(61)
    assert bench.kinds() == ["created", "activated"]


async def test_tokens_that_the_announcement_lacked_come_from_rest() -> None:
    bench = Bench()
    bench.announce(announcement(1, clob_token_ids=[]))
    bench.states[name(1)] = state(1, tokens=[{"token_id": "", "outcome": "Up"}, {"token_id": "", "outcome": "Down"}])
    await bench.seconds(10)
    assert bench.kinds() == ["created"]
    bench.states[name(1)] = state(1)
    await bench.seconds(20)
    assert bench.kinds() == ["created", "activated"]
    assert [outcome.label for outcome in bench.known(1).outcomes] == ["Up", "Down"]


async def test_a_sports_market_trades_long_before_its_game() -> None:
    bench = Bench()
    bench.known_terms[name(1)] = terms(1, gst="2027-10-11T14:00:00Z", sd=3, itode=True)
    bench.announce(announcement(1))
    await bench.seconds(2)
    market = bench.told("activated")
    assert (market.game_start, market.taker_delay, market.tradable) == (1_823_263_200_000_000_000, 3_000_000_000, True)


async def test_a_market_that_is_over_before_it_was_seen_to_trade_is_closed() -> None:
    bench = Bench()
    winner = [
        {"token_id": "11", "outcome": "Up", "winner": True},
        {"token_id": "12", "outcome": "Down", "winner": False},
    ]
    bench.states[name(1)] = state(1, closed=True, accepting_orders=False, tokens=winner)
    bench.announce(announcement(1))
    await bench.seconds(9)
    assert bench.kinds() == ["created", "closed", "MarketResolved"]
    assert not bench.shared.questions.new


async def test_a_settlement_without_a_winner_is_looked_up_until_it_is_known() -> None:
    bench = Bench()
    message = {"event_type": "market_resolved", "market": name(1), "assets_ids": tokens(1), "winning_asset_id": ""}
    bench.announce({**message, "timestamp": "1795970000000"})
    await bench.seconds(5)
    bench.states[name(1)] = state(1, closed=True)
    await bench.seconds(30)
    assert bench.kinds() == ["closed"]
    halves = [{"token_id": token, "price": 0.5, "winner": False} for token in tokens(1)]
    bench.states[name(1)] = state(1, closed=True, tokens=halves)
    await bench.seconds(61)
    assert bench.kinds() == ["closed", "MarketResolved"]
    resolved = bench.events[-1]
    assert isinstance(resolved, MarketResolved)
    assert (resolved.void, [price for _, price in resolved.payouts]) == (True, [500_000, 500_000])
    assert not bench.shared.questions.unsettled


async def test_a_payout_is_asked_for_during_days_of_dispute_and_then_given_up() -> None:
    bench = Bench()
    message = {"event_type": "market_resolved", "market": name(1), "assets_ids": tokens(1), "winning_asset_id": ""}
    bench.announce({**message, "timestamp": "1795970000000"})
    bench.states[name(1)] = state(1, closed=True)
    await bench.seconds(1_800)
    assert 10 <= len(bench.asked) <= 14
    await bench.clock.sleep(market_lookup.GIVE_UP)
    await bench.seconds(1)
    assert list(bench.shared.questions.unsettled) == [name(1)]
    await bench.clock.sleep(market_lookup.PAYOUTS_GIVE_UP)
    await bench.seconds(1)
    assert not bench.shared.questions.unsettled


async def test_a_burst_of_new_markets_is_asked_for_a_few_at_a_time_and_none_is_forgotten() -> None:
    bench = Bench()
    bench.announce(*(announcement(number) for number in range(1, 101)))
    bench.known_terms |= {name(number): terms(number) for number in range(1, 101)}
    for _ in range(20):
        bench.lookup.begin_round(bench)
        assert len(bench.lookup._asking) <= market_lookup.CONCURRENCY + 1
        await bench.lookup.finished()
        await bench.clock.sleep(S)
    assert sum(kind == "activated" for kind in bench.kinds()) >= 100
    assert not bench.shared.questions.new


async def test_what_never_trades_is_given_up_after_a_day() -> None:
    bench = Bench()
    bench.announce(announcement(1, active=False))
    await bench.seconds(1)
    await bench.clock.sleep(market_lookup.GIVE_UP)
    await bench.seconds(2)
    assert not bench.shared.questions.new
    assert bench.shared.questions.counts.lookups_given_up == 1


async def test_an_id_that_cannot_be_part_of_an_address_is_never_asked_for() -> None:
    bench = Bench()
    bench.announce(announcement(1, condition_id="0x1/../../orders"))
    await bench.seconds(3)
    assert not bench.asked
    assert bench.kinds() == ["created"]


async def test_a_lookup_that_is_cancelled_leaves_nothing_running() -> None:
    bench = Bench()
    waiting = asyncio.Event()

    async def hang(market_id: str) -> ClobTerms | None:
        waiting.set()
        await asyncio.Event().wait()
        return None

    bench.terms = hang  # type: ignore[method-assign]
    bench.announce(announcement(1))
    running = asyncio.create_task(bench.lookup.run(bench))
    await waiting.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_terms_without_a_fee_state_that_there_is_none() -> None:
    bench = Bench()
    bench.known_terms[name(1)] = terms(1, fd=None)
    bench.announce(announcement(1, fees_enabled=True))
    await bench.seconds(2)
    assert (bench.told("activated").fee.rate, "fee" in bench.told("activated").assumed) == (0, False)


ODD = [{"ao": "true"}, {"nr": "perhaps"}, {"t": [{"t": 7, "o": "Up"}]}, {"fd": "7 %"}, {"fd": {"r": "x"}}, {"v": 1}]


@pytest.mark.parametrize("odd", ODD)
async def test_an_unreadable_term_does_not_cost_the_answer(odd: dict[str, Any]) -> None:
    bench = Bench()
    bench.known_terms[name(1)] = terms(1, **odd)
    bench.announce(announcement(1))
    await bench.seconds(2)
    market = bench.told("activated")
    assert (market.tradable, market.min_order_size, market.key(0).instrument_id) == (True, 15_000_000, "11")
    assert market.fee.rate == 70_000
    assert ("fee" in market.assumed) == ("fd" in odd)


async def test_an_unreadable_field_of_a_state_does_not_cost_the_answer() -> None:
    bench = Bench()
    nameless = [{"token_id": None, "outcome": "Up"}, {"token_id": "12", "outcome": None}]
    bench.states[name(1)] = state(1, archived="no", neg_risk=[], tokens=nameless)
    bench.announce(announcement(1))
    await bench.seconds(2)
    assert bench.told("activated").tradable
