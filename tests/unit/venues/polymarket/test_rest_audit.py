"""What REST is asked, and what becomes of the answers."""

from collections.abc import Mapping, Sequence

import msgspec
import pytest

from predsurv.core.errors import TransientError
from predsurv.core.events import MarketEvent, MarketResolved, Quote
from predsurv.core.ids import InstrumentKey
from predsurv.net.clock import ManualClock
from predsurv.venues.polymarket import rest_audit as probing
from predsurv.venues.polymarket.decoder import PolymarketCodec
from predsurv.venues.polymarket.rest import ClobMarket, ClobToken, settlement
from predsurv.venues.polymarket.rest_audit import RestAudit
from predsurv.venues.polymarket.rest_comparison import BookSummary
from predsurv.venues.polymarket.shared_state import PolymarketSharedState
from tests.kit.oracle_polymarket import Venue, key

S = 1_000_000_000


class Desk:
    """A prober, the venue it asks, and a codec that follows it."""

    def __init__(self, count: int, *, opened: bool = True) -> None:
        self.venue = Venue(count)
        self.memory = PolymarketSharedState()
        self.clock = ManualClock(jumps=True)
        self.codec = PolymarketCodec(1, self.memory)
        self.codec.requests(self.venue.keys, frozenset())
        if opened:
            self.hear([self.venue.books(self.venue.tokens)])
        self.asked: list[list[str]] = []
        self.markets: list[str] = []
        self.settled = ClobMarket()
        self.down = False
        self.told: list[MarketEvent] = []
        self.prober = RestAudit(self, self.memory, self.clock, self.venue.rng.random)

    def hear(self, frames: list[bytes]) -> bool:
        out: list[MarketEvent] = []
        for frame in frames:
            self.codec.decode([frame], 0, out)
        return self.codec.audit(0, self.clock.monotonic(), out)

    async def books(self, tokens: Sequence[str]) -> Mapping[str, BookSummary]:
        self.asked.append(list(tokens))
        if self.down:
            raise TransientError("down")
        known = [self.venue.tokens[token].summary() for token in tokens if token in self.venue.tokens]
        return {made["asset_id"]: msgspec.convert(made, BookSummary, strict=False) for made in known}

    async def market(self, market_id: str) -> ClobMarket:
        self.markets.append(market_id)
        return self.settled

    def put_events(self, events: Sequence[MarketEvent]) -> None:
        self.told += events

    async def rounds(self, count: int) -> None:
        for _ in range(count):
            await self.prober.round(self)
            await self.clock.sleep(4 * S)


async def test_every_book_is_asked_about_in_a_minute() -> None:
    desk = Desk(400)
    desk.hear(desk.venue.burst("100000"))
    for _ in range(12):
        await desk.rounds(1)
        desk.hear(desk.venue.burst("100000"))
    assert {token for tokens in desk.asked for token in tokens} == set(desk.venue.tokens)
    assert all(len(tokens) <= probing.TOKENS_MAX for tokens in desk.asked)
    assert desk.memory.checks.differed == 0
    assert desk.memory.checks.probed >= 400


async def test_the_liveliest_are_asked_about_every_time() -> None:
    desk = Desk(300)
    for _ in range(5):
        desk.hear(desk.venue.burst("100042"))
        await desk.rounds(1)
    assert all("100042" in tokens for tokens in desk.asked)


async def test_silence_is_vouched_for_when_all_agree() -> None:
    desk = Desk(30)
    await desk.clock.sleep(10 * S)
    await desk.rounds(1)
    assert sorted(desk.asked[0]) == sorted(desk.venue.tokens)
    assert desk.hear([])
    assert not desk.hear([]), "once"


async def test_silence_is_not_vouched_for_when_one_differs() -> None:
    desk = Desk(30)
    await desk.clock.sleep(10 * S)
    desk.venue.burst("100007")
    await desk.rounds(1)
    assert not desk.hear([])


async def test_what_has_no_book_gets_prices() -> None:
    desk = Desk(2, opened=False)
    await desk.rounds(1)
    assert {(event.key, event.bid, event.ask) for event in desk.told if isinstance(event, Quote)} == {
        (each, 490_000, 510_000) for each in desk.venue.keys
    }


async def test_failures_are_counted_and_nothing_else() -> None:
    desk = Desk(250)
    await desk.clock.sleep(10 * S)
    desk.down = True
    await desk.rounds(2)
    assert desk.memory.checks.unanswered >= 3
    assert desk.told == []
    assert not desk.hear([])


async def test_settlement_that_the_stream_kept_to_itself_is_told_once() -> None:
    desk = Desk(2, opened=False)
    gone = key("100000")
    del desk.venue.tokens["100000"]
    desk.settled = ClobMarket(True, None, [ClobToken("100000", True), ClobToken("x", False)])
    await desk.rounds(30)
    (resolved,) = [event for event in desk.told if isinstance(event, MarketResolved)]
    assert resolved.market_id == gone.market_id
    assert dict(resolved.payouts) == {"100000": 1_000_000, "x": 0}
    assert len(desk.markets) <= 4


KEY: InstrumentKey = key("1")


@pytest.mark.parametrize(
    ("market", "pays"),
    [
        (ClobMarket(False, None, [ClobToken("1", True), ClobToken("2", False)]), None),
        (ClobMarket(True, None, [ClobToken("1", False), ClobToken("2", False)]), None),
        (ClobMarket(True, None, [ClobToken("3", True), ClobToken("2", False)]), None),
        (ClobMarket(True, None, [ClobToken("1", False), ClobToken("2", True)]), (0, 1_000_000, False)),
        (ClobMarket(True, True, [ClobToken("1"), ClobToken("2")]), (500_000, 500_000, True)),
    ],
)
def test_settlement(market: ClobMarket, pays: tuple[int, int, bool] | None) -> None:
    resolved = settlement(market, KEY, 7)
    assert (resolved and (*(price for _, price in resolved.payouts), resolved.void)) == pays
