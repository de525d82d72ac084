"""Every book of the simulated venue is proved by its hashes, whatever its grid and the form of its last trade price."""

from typing import get_args

import pytest

from predsurv.core.events import Gap, MarketEvent, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.exchange.exchange import Exchange
from predsurv.simulate.polymarket.books import LastTradeForm, TokenPairBook
from predsurv.simulate.polymarket.catalog import SimulatedCatalog
from predsurv.simulate.polymarket.channel import MarketChannel
from predsurv.simulate.polymarket.faulty_connection import FaultyConnection
from predsurv.simulate.polymarket.subscribers import Subscribers
from predsurv.venues.polymarket.decoder import PolymarketCodec
from predsurv.venues.polymarket.shared_state import PolymarketSharedState
from tests.kit.recording_websocket import RecordingWebSocket

MS = 1_000_000
S = 1_000 * MS
STEP = 20 * MS
GRIDS = {100, 2_500, 10_000}


class Watched:
    """A simulated venue without sockets, and a codec that follows all its tokens."""

    def __init__(self, form: LastTradeForm) -> None:
        self.exchange = Exchange(7, 120, 1_500, fine_grids=True)
        catalog, self.books = SimulatedCatalog(self.exchange), dict[int, TokenPairBook]()
        self.subscribers = Subscribers(catalog, self.books, lambda token: False)
        self.channel = MarketChannel(self.exchange, catalog, self.subscribers, self.books, last_trade_form=form)
        self.tick_sizes = {token: row.market.tick_size for row in catalog.rows for token in row.tokens}
        self.socket, self.shared = RecordingWebSocket(), PolymarketSharedState()
        self.subscribers.add(FaultyConnection(self.socket, lambda kind, number, tokens: None))
        self.codec = PolymarketCodec(1, self.shared)
        names = [(row.condition, token) for row in catalog.rows for token in row.tokens if not row.is_settled]
        venue = VenueName("polymarket")
        keys = {InstrumentKey(venue, MarketId(market), InstrumentId(token)) for market, token in names}
        for request in self.codec.requests(keys, frozenset()):
            self.subscribers.on_message(self.socket.number, request)

    def step(self) -> list[MarketEvent]:
        """Let time pass; decode and check what was sent."""
        until = (self.exchange.now + STEP) // MS * MS - 1
        self.channel.publish(self.exchange.advance(until))
        self.subscribers.flush(until)
        out: list[MarketEvent] = []
        frames, self.socket.got = self.socket.got, []
        self.codec.decode(frames, until, out)
        self.codec.audit(until, until, out)
        return out


@pytest.mark.parametrize("form", get_args(LastTradeForm))
def test_every_book_is_proved_and_none_is_reported(form: LastTradeForm) -> None:
    watched = Watched(form)
    events = [event for _ in range(6 * S // STEP) for event in watched.step()]
    assert [event for event in events if isinstance(event, Gap)] == []
    counts = watched.shared.counts
    assert counts.matched > 3_000
    assert counts.unverifiable == counts.overloads == counts.differed == 0
    traded = {watched.tick_sizes[event.key.instrument_id] for event in events if isinstance(event, Trade)}
    assert traded >= GRIDS
    assert {"0.0025", "0.0001"} <= watched.shared.last_trade_texts.settled
