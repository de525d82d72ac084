"""What a recording says of the channels beside the books, over losses and a feed that is opened anew."""

from collections.abc import AsyncIterator, Sequence
from itertools import groupby
from pathlib import Path

from predsurv.collect.collector import Collector, CollectorDeps
from predsurv.core.errors import TransientError
from predsurv.core.events import ChannelChange, CoverageReason, MarketEvent
from predsurv.ports import Feed, VenueTraits
from predsurv.venues.mock.venue import MockVenue
from tests.kit.collect_runs import MOCK, FastClock, S, assert_whole, column, configured, scan


async def test_coverage_tells_how_each_feed_of_a_venue_observes_trades_and_market_lives(tmp_path: Path) -> None:
    class Polled(MockVenue):
        """Offers no trades; its feed loses the announcements once and is opened anew once."""

        traits = VenueTraits(trades="not_offered", lifecycle="subscribing")
        opened = 0

        def feed(self) -> Feed:  # type: ignore[override]
            self.opened += 1
            return _LosingFeed(super().feed(), fails=self.opened == 1)

    config, clock = configured(tmp_path), FastClock()
    await scan(config, clock)
    await Collector(config, [Polled(config.mock, clock)], clock, CollectorDeps()).run(90 * S)
    rows = sorted(column(tmp_path, "coverage", "instrument_id", "start", "state", "trades", "lifecycle"))
    assert {(state, trades) for _, _, state, trades, _ in rows} == {("covered", "not_offered"), ("gap", None)}
    told: dict[object, list[object]] = {}
    for instrument, _, state, _, lifecycle in rows:
        if state == "covered":
            told.setdefault(instrument, []).append(lifecycle)
    longest = max(([one for one, _ in groupby(said)] for said in told.values()), key=len)
    assert longest == [
        "subscribing",
        "live",
        "disconnect",
        "subscribing",
        "live",
        "disconnect",
    ]
    assert_whole(tmp_path)


class _LosingFeed:
    """Has announcements from its second batch on, loses them in its fourth, and may fail in its sixth."""

    def __init__(self, feed: Feed, *, fails: bool) -> None:
        self._feed, self._fails = feed, fails
        self.watch, self.aclose = feed.watch, feed.aclose

    async def batches(self) -> AsyncIterator[Sequence[MarketEvent]]:
        number = 0
        async for batch in self._feed.batches():
            number += 1
            said: dict[int, CoverageReason] = {20: "live", 40: "disconnect"}
            told = [ChannelChange(MOCK, batch[-1].ts_recv, "lifecycle", said[number])] if number in said else []
            yield [*batch, *told]
            if number == 60 and self._fails:
                raise TransientError("mock: lost")
