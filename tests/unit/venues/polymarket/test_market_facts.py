"""What the venue tells on one token of a market, on either or on both: heard once, as it was told."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.events import BookDelta, BookSnapshot, Gap, Malformed, MarketChange, MarketEvent, MarketResolved
from predsurv.core.events import Trade as TradeEvent
from predsurv.core.market import on_grid
from predsurv.core.num import Price, format_micros
from predsurv.state.market_cache import MarketCache
from predsurv.venues.polymarket.decoder import PolymarketCodec
from predsurv.venues.polymarket.shared_state import PolymarketSharedState
from predsurv.venues.streaming.takeover import Takeover
from tests.kit.market_samples import market
from tests.kit.polymarket_frames import NOW, book, change, decoded, key, wire

YES, NO = key("11"), key("12")
STAMP = 1_791_199_970_000


def mirrored(epoch: int = 1, shared: PolymarketSharedState | None = None) -> PolymarketCodec:
    """Return a codec that wants YES and knows its mirror; the book of YES is open."""
    shared = shared or PolymarketSharedState()
    shared.set_mirrors({YES: NO})
    made = PolymarketCodec(epoch, shared)
    made.requests({YES}, frozenset())
    made.decode([wire(book("11"))], NOW, [])
    return made


def trade(token: str, side: str = "BUY", price: str = "0.55", size: str = "20", **more: Any) -> dict[str, Any]:
    facts = {"asset_id": token, "side": side, "price": price, "size": size, "timestamp": str(STAMP)}
    return {"market": "0xm1", **facts, "event_type": "last_trade_price", "transaction_hash": "0xa", **more}


def told(*messages: dict[str, Any], made: PolymarketCodec | None = None) -> list[tuple[str, str, int, int]]:
    """Return token, taker's side, price and size of the trades that come of ``messages``."""
    codec = made or mirrored()
    events = [event for message in messages for event in decoded(codec, wire(message))]
    assert all(isinstance(event, TradeEvent) for event in events)
    return [
        (event.key.instrument_id, event.taker_side or "?", event.price, event.size)
        for event in events
        if isinstance(event, TradeEvent)
    ]


class TestRequests:
    def test_both_tokens_of_a_market_are_subscribed_and_only_the_wanted_one_is_waited_for(self) -> None:
        shared = PolymarketSharedState()
        shared.set_mirrors({YES: NO})
        made = PolymarketCodec(1, shared)
        (opening,) = made.requests({YES}, frozenset())
        assert json.loads(opening) == {"type": "market", "assets_ids": ["11", "12"]}
        assert made.awaiting() == {YES}
        assert made.subscribed == {"11": YES}
        made.decode([wire(book("12"))], NOW, [])
        assert made.awaiting() == {YES}

    def test_an_instrument_is_requested_anew_and_dropped_together_with_its_mirror(self) -> None:
        made = mirrored()
        again = [json.loads(frame) for frame in made.requests({YES}, {YES})]
        assert again == [
            {"operation": "unsubscribe", "assets_ids": ["11", "12"]},
            {"operation": "subscribe", "assets_ids": ["11", "12"]},
        ]
        assert [json.loads(frame) for frame in made.requests(frozenset(), {YES})] == again[:1]
        assert told(trade("12"), made=made) == []

    def test_a_token_without_a_mirror_is_subscribed_alone(self) -> None:
        made = mirrored()
        (frame,) = made.requests({key("88", "0xm2")}, frozenset())
        assert json.loads(frame) == {"operation": "subscribe", "assets_ids": ["88"]}

    def test_a_wanted_mirror_has_a_book_of_its_own_and_is_heard_once_that_is_dropped(self) -> None:
        shared = PolymarketSharedState()
        shared.set_mirrors({YES: NO, NO: YES})
        made = PolymarketCodec(1, shared)
        (opening,) = made.requests({YES, NO}, frozenset())
        assert json.loads(opening)["assets_ids"] == ["11", "12"]
        assert made.awaiting() == {YES, NO}
        assert made.requests(frozenset(), {NO}) == []  # it stays subscribed for its trades
        assert told(trade("12"), made=made) == [("12", "buy", 550_000, 20_000_000)]
        frames = [json.loads(frame) for frame in made.requests({NO}, frozenset())]  # the venue ignores a repetition
        assert frames == [
            {"operation": "unsubscribe", "assets_ids": ["12"]},
            {"operation": "subscribe", "assets_ids": ["12"]},
        ]

    def test_the_announcement_connection_subscribes_no_mirror(self) -> None:
        shared = PolymarketSharedState()
        shared.set_mirrors({YES: NO})
        made = PolymarketCodec(1, shared.for_announcements(), announcements=True)
        (opening,) = made.requests({YES}, frozenset())
        assert json.loads(opening)["assets_ids"] == ["11"]


class TestTheMirror:
    def test_its_trades_are_told_as_trades_of_its_own(self) -> None:
        assert told(trade("11"), trade("12", price="0.45", size="30", side="BUY")) == [
            ("11", "buy", 550_000, 20_000_000),
            ("12", "buy", 450_000, 30_000_000),
        ]

    @pytest.mark.parametrize("spaced", [True, False])
    @pytest.mark.parametrize("as_array", [True, False])
    def test_its_books_quotes_and_changes_are_of_no_use(self, spaced: bool, as_array: bool) -> None:
        levels = {"bids": [{"price": "0.4", "size": "5"}], "asks": [{"price": "0.6", "size": "5"}], "hash": "x"}
        quote = {"event_type": "best_bid_ask", "asset_id": "12", "best_bid": "0.4", "best_ask": "0.6"}
        messages = [book("12", **levels), change("12"), {**quote, "timestamp": str(STAMP)}]
        made, out = mirrored(), list[MarketEvent]()
        for message in messages:
            whole = [message] if as_array else message
            frame = json.dumps(whole).encode() if spaced else wire(whole)
            assert made.decode([frame], NOW, out)  # it is data: the connection is alive
        assert out == []
        assert made.verifier.books.keys() <= {"11"}
        assert made.awaiting() == frozenset()

    def test_a_book_of_it_that_cannot_be_read_changes_nothing(self) -> None:
        made, out = mirrored(), list[MarketEvent]()
        made.decode([wire(book("12", bids=[{"price": "NaN", "size": "1"}]))], NOW, out)
        assert out == []

    def test_a_trade_on_it_that_cannot_be_read_is_missing_in_the_recording_of_the_instrument(self) -> None:
        made = mirrored()
        made.requests({key("88", "0xm2")}, frozenset())
        made.decode([wire(book("88"))], NOW, [])
        malformed, gap = decoded(made, wire(trade("12", price="NaN")))
        assert isinstance(malformed, Malformed)
        assert gap == Gap(YES, NOW, "decode_error", 1)

    def test_changes_that_name_both_tokens_give_one_change(self) -> None:
        message = change("11")
        message["price_changes"] += change("12", price="0.5", side="SELL")["price_changes"]
        (event,) = decoded(mirrored(), wire(message))
        assert isinstance(event, BookDelta)
        assert event.key == YES

    def test_a_book_in_the_usual_form_does_not_cost_a_parse(self, monkeypatch: pytest.MonkeyPatch) -> None:
        made = mirrored()
        monkeypatch.setattr(made._reader, "book", None)
        made.decode([wire(book("12", market="0x" + "f" * 64))], NOW, [])
        monkeypatch.undo()
        (event,) = decoded(made, wire(book("11")))
        assert isinstance(event, BookSnapshot)


class TestToldAgain:
    def test_the_same_trade_on_the_other_token_counts_once(self) -> None:
        yes, no = trade("11"), trade("12", "SELL", "0.45")
        assert told(yes, no, no, yes) == [("11", "buy", 550_000, 20_000_000)]
        assert told(no, yes) == [("12", "sell", 450_000, 20_000_000)]

    def test_one_message_on_one_token_is_one_trade(self) -> None:
        assert told(trade("12", "SELL", "0.45"), trade("12", "SELL", "0.45")) == [("12", "sell", 450_000, 20_000_000)]

    @pytest.mark.parametrize(
        "other",
        [
            trade("12", "BUY", "0.45"),
            trade("12", "SELL", "0.46"),
            trade("12", "SELL", "0.45", "21"),
            trade("12", "SELL", "0.45", transaction_hash="0xb"),
            trade("12", "SELL", "0.45", timestamp=str(STAMP + 1)),
            trade("11", "SELL", "0.45"),
        ],
    )
    def test_trades_that_differ_in_anything_are_two(self, other: dict[str, Any]) -> None:
        assert len(told(trade("11"), other)) == 2
        assert len(told(other, trade("11"))) == 2

    def test_without_a_transaction_the_same_holds_for_one_millisecond(self) -> None:
        yes, no = (trade(*facts, transaction_hash="") for facts in (("11",), ("12", "SELL", "0.45")))
        assert len(told(yes, no)) == 1
        assert len(told(yes, {**no, "timestamp": str(STAMP + 1)})) == 2

    def test_without_transaction_and_time_nothing_is_the_same_on_the_other_token(self) -> None:
        yes, no = (trade(*facts, transaction_hash="", timestamp="0") for facts in (("11",), ("12", "SELL", "0.45")))
        assert len(told(yes, no)) == 2

    def test_markets_are_told_apart(self) -> None:
        shared = PolymarketSharedState()
        made = PolymarketCodec(1, shared)
        made.requests({YES, key("12", "0xm2")}, frozenset())
        assert len(told(trade("11"), trade("12", "SELL", "0.45"), made=made)) == 2

    def test_two_connections_tell_it_once_whichever_token_each_hears_it_on(self) -> None:
        shared = PolymarketSharedState()
        first, second = mirrored(1, shared), mirrored(2, shared)
        assert len(told(trade("11"), made=first)) == 1
        assert told(trade("12", "SELL", "0.45"), trade("11"), made=second) == []


_TRADES = st.lists(
    st.tuples(
        st.sampled_from(["11", "12"]),
        st.sampled_from(["BUY", "SELL"]),
        st.integers(1, 99),
        st.integers(1, 3),
        st.integers(0, 2),
        st.sampled_from(["", "0xa", "0xb"]),
    ),
    max_size=30,
    unique=True,
)
_FLIPPED = {"BUY": "SELL", "SELL": "BUY"}


def _message(facts: tuple[str, str, int, int, int, str]) -> dict[str, Any]:
    token, side, cents, size, after, transaction = facts
    price = format_micros(cents * 10_000)
    return trade(token, side, price, str(size), timestamp=str(STAMP + after), transaction_hash=transaction)


def _mirrored(facts: tuple[str, str, int, int, int, str]) -> tuple[str, str, int, int, int, str]:
    asset, side, cents, size, after, transaction = facts
    return ("12" if asset == "11" else "11", _FLIPPED[side], 100 - cents, size, after, transaction)


@given(_TRADES, st.data())
def test_told_on_one_token_or_on_both_and_repeated_each_trade_counts_once(
    trades: list[tuple[str, str, int, int, int, str]], data: st.DataObject
) -> None:
    # A trade and its own mirror image are one; which of them was told first does not matter.
    once = {min(facts, _mirrored(facts)) for facts in trades}
    tellings = [facts for facts in trades for _ in range(data.draw(st.integers(1, 2)))]
    tellings += [_mirrored(facts) for facts in trades if data.draw(st.booleans())]
    tellings = data.draw(st.permutations(tellings))
    counted = told(*map(_message, tellings))
    seen = [
        (token, {"buy": "BUY", "sell": "SELL"}[side], price // 10_000, size // 1_000_000)
        for token, side, price, size in counted
    ]
    assert len(seen) == len(once)
    assert sorted(min(each, _without_time(each)) for each in seen) == sorted(facts[:4] for facts in once)


def _without_time(facts: tuple[str, str, int, int]) -> tuple[str, str, int, int]:
    return _mirrored((*facts, 0, ""))[:4]


class TestOtherFacts:
    @pytest.mark.parametrize("hears_first", ["old", "new"])
    @pytest.mark.parametrize("switched", [False, True])
    def test_a_tick_size_is_told_once_while_one_connection_replaces_another(
        self, hears_first: str, switched: bool
    ) -> None:
        shared, takeover = PolymarketSharedState(), Takeover()
        old, new = mirrored(1, shared), mirrored(2, shared)
        if switched:
            takeover.switch(frozenset())
        both = [(old, takeover.filter_old), (new, takeover.filter_new)]
        out: list[MarketEvent] = []
        for made, passes in both if hears_first == "old" else both[::-1]:
            passes(decoded(made, wire(self.tick("12"))), out)
        assert [event.kind for event in out if isinstance(event, MarketChange)] == ["tick_size"]

    def tick(self, token: str, old: str = "0.01", new: str = "0.001", after: int = 0) -> dict[str, Any]:
        facts = {"asset_id": token, "old_tick_size": old, "new_tick_size": new, "timestamp": str(STAMP + after)}
        return {"market": "0xm1", **facts, "event_type": "tick_size_change"}

    @pytest.mark.parametrize("tokens", [["11"], ["12"], ["11", "12"], ["12", "11"], ["11", "11", "12"]])
    def test_a_tick_size_holds_for_the_market_whichever_token_it_is_told_on(self, tokens: list[str]) -> None:
        made = mirrored()
        (event,) = [event for token in tokens for event in decoded(made, wire(self.tick(token)))]
        assert isinstance(event, MarketChange)
        assert (event.kind, event.market_id, event.tick_size) == ("tick_size", "0xm1", 1_000)
        made.verifier.verify(NOW, 0)
        assert made.verifier.books["11"].inputs.tick_size == "0.001"

    def test_each_further_change_of_the_tick_size_counts(self) -> None:
        made = mirrored()
        changes = [self.tick("12"), self.tick("11", "0.001", "0.01", 5), self.tick("12", "0.01", "0.001", 9)]
        events = [event for message in changes for event in decoded(made, wire(message))]
        assert [event.tick_size for event in events if isinstance(event, MarketChange)] == [1_000, 10_000, 1_000]

    @pytest.mark.parametrize("named", [["11", "12"], ["12", "11"], ["11"], ["12"]])
    def test_a_settlement_that_names_either_token_is_of_the_market(self, named: list[str]) -> None:
        facts = {"market": "0xm1", "assets_ids": named, "winning_asset_id": named[0], "timestamp": str(STAMP)}
        (event,) = decoded(mirrored(), wire({**facts, "event_type": "market_resolved"}))
        assert isinstance(event, MarketResolved)
        assert event.market_id == "0xm1"

    def test_a_settlement_of_another_market_is_not_told(self) -> None:
        facts = {"market": "0xm2", "assets_ids": ["21", "22"], "winning_asset_id": "21", "timestamp": str(STAMP)}
        assert decoded(mirrored(), wire({**facts, "event_type": "market_resolved"})) == []

    def test_a_trade_on_the_mirror_may_be_the_last_one_that_the_hash_of_the_book_covers(self) -> None:
        made = mirrored()
        decoded(made, wire(trade("12", price="0.45")))
        made.verifier.verify(NOW, 0)
        assert "0.550" in made.verifier.books["11"].other_texts


def opening(token: str, tick: str, **more: Any) -> dict[str, Any]:
    return {**book(token, tick_size=tick, last_trade_price=""), **more}


def ticks(events: list[MarketEvent]) -> list[int | None]:
    return [event.tick_size for event in events if isinstance(event, MarketChange)]


class TestStatedTicks:
    @pytest.mark.parametrize("compact", [True, False])
    def test_the_tick_size_of_an_opening_book_is_told_before_the_book(self, compact: bool) -> None:
        made = PolymarketCodec(1)
        made.requests({YES}, frozenset())
        frame = wire([opening("11", "0.001")]) if compact else json.dumps([opening("11", "0.001")]).encode()
        tick, snapshot = decoded(made, frame)
        assert isinstance(tick, MarketChange)
        assert isinstance(snapshot, BookSnapshot)
        assert (tick.kind, tick.tick_size, tick.market_id) == ("tick_size", 1_000, "0xm1")

    def test_it_is_told_once_for_both_tokens_and_all_connections(self) -> None:
        shared = PolymarketSharedState()
        events: list[MarketEvent] = []
        for epoch in (1, 2):
            made = PolymarketCodec(epoch, shared, announcements=epoch == 2)
            made.requests({YES, NO}, frozenset())
            for token in ("11", "12", "11"):
                events += decoded(made, wire(opening(token, "0.001")))
        assert ticks(events) == [1_000]

    def test_a_stale_listing_gives_way_to_the_opening_book(self) -> None:
        listed = replace(market(1), venue=YES.venue, market_id=YES.market_id, tick_size=Price(10_000))
        made, cache = PolymarketCodec(1), MarketCache()
        cache.add(listed)
        made.requests({YES}, frozenset())
        assert not on_grid(listed, Price(953_000))
        for event in decoded(made, wire([opening("11", "0.001")])):
            cache.apply(event)
        known = cache.market(YES.venue, YES.market_id)
        assert known is not None
        assert on_grid(known, Price(953_000))

    def test_a_book_after_a_trade_states_none(self) -> None:
        assert ticks(decoded(mirrored(), wire(book("11")))) == []

    def test_a_subscription_after_a_change_that_was_missed_tells_it(self) -> None:
        made = mirrored()
        assert ticks(decoded(made, wire(opening("11", "0.01")))) == [10_000]
        assert ticks(decoded(made, wire(opening("11", "0.001")))) == [1_000]
        assert ticks(decoded(made, wire(opening("11", "0.01")))) == [10_000]

    def test_a_change_told_on_either_token_late_or_twice_is_one(self) -> None:
        made = mirrored()
        assert ticks(decoded(made, wire(opening("11", "0.01")))) == [10_000]

        def told(token: str, new: str, stamp: int) -> list[int | None]:
            message = {"event_type": "tick_size_change", "asset_id": token, "old_tick_size": "", "new_tick_size": new}
            return ticks(decoded(made, wire({**message, "timestamp": str(stamp)})))

        assert told("11", "0.001", STAMP) == [1_000]
        assert told("12", "0.001", STAMP) == []
        assert told("12", "0.01", STAMP + 5) == [10_000]
        assert told("11", "0.001", STAMP) == [], "a repetition that comes late changes nothing back"
        assert ticks(decoded(made, wire(opening("11", "0.01")))) == []

    @pytest.mark.parametrize("tick", ["1", "0", "many", "-0.01"])
    def test_an_unreadable_tick_costs_no_book(self, tick: str) -> None:
        made = PolymarketCodec(1)
        made.requests({YES}, frozenset())
        events = decoded(made, wire(opening("11", tick)))
        assert isinstance(events[-1], BookSnapshot)
        assert ticks(events) == []
        assert not made.awaiting()


_SEEDS = [
    wire(message)
    for message in (
        trade("11"),
        trade("12", "SELL", "0.45"),
        book("11", bids=[{"price": "0.4", "size": "5"}]),
        book("12", bids=[{"price": "0.4", "size": "5"}]),
        {**change("11"), "price_changes": [*change("11")["price_changes"], *change("12")["price_changes"]]},
        TestOtherFacts().tick("12"),
    )
]


@given(st.data())
def test_mutated_messages_about_either_token_raise_nothing_and_give_no_book_of_the_mirror(data: st.DataObject) -> None:
    frame = bytearray(data.draw(st.sampled_from(_SEEDS)))
    for _ in range(data.draw(st.integers(1, 4))):
        where = data.draw(st.integers(0, len(frame)))
        frame[where : where + data.draw(st.integers(0, 6))] = data.draw(st.binary(max_size=6))
    made, out = mirrored(), list[MarketEvent]()
    made.decode([bytes(frame)], NOW, out)
    assert not any(event.key == NO for event in out if isinstance(event, BookSnapshot | BookDelta | Gap))
    assert made.awaiting() <= {YES}
