"""What is announced of whole markets, and what that leaves open."""

from typing import Any

import pytest
from msgspec.structs import replace

from predsurv.core.events import Malformed, MarketChange, MarketEvent, MarketResolved
from predsurv.core.num import Size
from predsurv.state.market_facts import MarketFacts
from predsurv.venues.polymarket.decoder import PolymarketCodec
from predsurv.venues.polymarket.shared_state import PolymarketSharedState
from tests.kit.polymarket_frames import NOW, key, wire

CONDITION = "0x" + "d2" * 32
TOKENS = ["7171", "8282"]
NEW: dict[str, Any] = {
    "id": "2",
    "question": "Bitcoin Up or Down - 5m",
    "market": CONDITION,
    "slug": "btc-updown-5m-1",
    "description": "d",
    "assets_ids": TOKENS,
    "outcomes": ["Up", "Down"],
    "event_message": {
        "id": "e2",
        "ticker": "btc",
        "slug": "btc-updown-5m-1",
        "title": "Up or Down",
        "description": "d",
    },
    "tags": ["Crypto"],
    "condition_id": CONDITION,
    "active": True,
    "clob_token_ids": TOKENS,
    "sports_market_type": "",
    "line": "",
    "game_start_time": "",
    "order_price_min_tick_size": "0.01",
    "group_item_title": "",
    "taker_base_fee": "1000",
    "fees_enabled": True,
    "fee_schedule": {"exponent": 1, "rate": 0.07, "takerOnly": True, "rebateRate": 0.2},
    "event_type": "new_market",
    "timestamp": "1795970000000",
}
RESOLVED: dict[str, Any] = {
    "event_type": "market_resolved",
    "id": "1",
    "market": "0xm1",
    "assets_ids": ["1001", "1002"],
    "winning_asset_id": "",
    "winning_outcome": "",
    "event_message": None,
    "timestamp": "1795970000000",
    "tags": [],
}


class Channel:
    """A codec for announcements, and what its feed shares."""

    def __init__(self) -> None:
        self.shared = PolymarketSharedState()
        self.codec = PolymarketCodec(1, self.shared, announcements=True)
        self.codec.requests({key("1")}, frozenset())

    def tell(self, *messages: dict[str, Any]) -> list[MarketEvent]:
        out: list[MarketEvent] = []
        self.codec.decode([wire(message) for message in messages], NOW, out)
        return out

    def created(self, **changes: Any) -> MarketChange:
        (event,) = self.tell({**NEW, **changes})
        assert isinstance(event, MarketChange)
        return event


def test_an_announced_market_says_what_nobody_stated() -> None:
    channel = Channel()
    created = channel.created()
    market = created.market
    assert market is not None
    assert (created.kind, market.status, market.tradable, market.tick_size) == ("created", "created", False, 10_000)
    assert (market.fee.rate, market.question, market.category) == (70_000, "Bitcoin Up or Down - 5m", "Crypto")
    assert {"status", "tradable", "min_order_size", "taker_delay", "neg_risk", "close_time", "volume"} <= {
        *market.assumed
    }
    assert not {"tick_size", "fee", "tags", "game_start", "description"} & {*market.assumed}
    assert list(channel.shared.questions.new) == [CONDITION]


def test_an_announcement_takes_nothing_back_that_a_listing_stated() -> None:
    announced = Channel().created().market
    assert announced is not None
    listed = replace(announced, status="active", tradable=True, min_order_size=Size(15_000_000), assumed=())
    known = MarketChange(listed.venue, listed.market_id, None, NOW - 9, None, "listed", "", listed)
    facts = MarketFacts([known, Channel().created()])
    found = facts.at(listed.market_id, NOW)
    assert found is not None
    assert (found.market.status, found.market.tradable, found.market.min_order_size) == ("active", True, 15_000_000)
    assert found.market.assumed == ()


def test_a_market_announced_twice_is_created_once() -> None:
    channel = Channel()
    assert len(channel.tell(NEW, NEW, {**NEW, "timestamp": "1795970000001"})) == 1


@pytest.mark.parametrize("tokens", [None, [], "", ["", ""]])
def test_a_market_announced_without_tokens_is_asked_for_until_it_has_them(tokens: Any) -> None:
    channel = Channel()
    created = channel.created(clob_token_ids=tokens, assets_ids=tokens)
    assert created.market is None
    assert "no tokens yet" in created.value
    assert list(channel.shared.questions.new) == [CONDITION]


@pytest.mark.parametrize(
    "changes",
    [
        {"order_price_min_tick_size": "fine"},
        {"fee_schedule": "7 %"},
        {"event_message": "?"},
        {"tags": 5},
        {"description": ["d"]},
        {"game_start_time": "tonight"},
        {"active": "maybe"},
    ],
)
def test_an_unreadable_field_does_not_cost_an_announced_market(changes: dict[str, Any]) -> None:
    created = Channel().created(**changes)
    assert created.market is not None
    assert created.market.key(0).instrument_id == "7171"
    assert '"unreadable":[' in created.value


def test_a_market_of_the_second_protocol_trades_by_its_own_ids() -> None:
    market = Channel().created(version="v2", position_ids=["21", "22"]).market
    assert market is not None
    assert [outcome.instrument_id for outcome in market.outcomes] == ["21", "22"]


def test_a_sports_market_states_when_its_game_starts() -> None:
    market = Channel().created(game_start_time="2026-12-11 14:00:00+00", sports_market_type="moneyline").market
    assert market is not None
    assert market.game_start == 1_796_997_600_000_000_000


@pytest.mark.parametrize(
    "changes", [{"outcomes": ["A", "B", "C"]}, {"outcomes": ["A"], "clob_token_ids": ["1"]}, {"version": "v9"}]
)
def test_what_cannot_be_recorded_is_not_asked_for(changes: dict[str, Any]) -> None:
    channel = Channel()
    created = channel.created(**changes)
    assert created.market is None
    assert '"left_out":' in created.value
    assert not channel.shared.questions.new


def test_a_market_without_an_id_is_malformed() -> None:
    (event,) = Channel().tell({**NEW, "condition_id": "", "market": ""})
    assert isinstance(event, Malformed)


@pytest.mark.parametrize("winner", ["", None])
def test_a_settlement_without_a_winner_ends_the_market_and_leaves_the_payout_open(winner: str | None) -> None:
    channel = Channel()
    message = {**RESOLVED, "winning_asset_id": winner}
    (closed,) = channel.tell(message, message)
    assert isinstance(closed, MarketChange)
    assert (closed.kind, closed.market_id) == ("closed", "0xm1")
    assert channel.shared.questions.unsettled["0xm1"].tokens == ("1001", "1002")  # type: ignore[index]


def test_a_settlement_without_the_field_of_the_winner_is_none_with_another_winner() -> None:
    channel = Channel()
    (closed,) = channel.tell({name: value for name, value in RESOLVED.items() if name != "winning_asset_id"})
    assert isinstance(closed, MarketChange)


def test_a_winner_that_is_named_later_answers_the_question() -> None:
    channel = Channel()
    closed, resolved = channel.tell(RESOLVED, {**RESOLVED, "winning_asset_id": "1002"})
    assert isinstance(closed, MarketChange)
    assert isinstance(resolved, MarketResolved)
    assert resolved.payouts == (("1001", 0), ("1002", 1_000_000))
    assert not channel.shared.questions.unsettled


def test_questions_are_bounded_and_the_oldest_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("predsurv.venues.polymarket.open_questions.OPEN_MAX", 3)
    channel = Channel()
    for number in range(5):
        channel.tell({**NEW, "condition_id": f"0x{number}", "clob_token_ids": [f"{number}1", f"{number}2"]})
    assert list(channel.shared.questions.new) == ["0x2", "0x3", "0x4"]
    assert channel.shared.questions.counts.lookups_dropped == 2


def test_a_broken_character_does_not_cost_an_announced_market() -> None:
    channel = Channel()
    out: list[MarketEvent] = []
    frame = wire({**NEW, "question": "Will @ rise?"}).replace(b"@", b"\\ud83d")
    channel.codec.decode([frame], NOW, out)
    (created,) = out
    assert isinstance(created, MarketChange)
    assert created.market is not None
    assert created.market.question == "Will \ufffd rise?"
