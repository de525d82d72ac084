"""Fees that are announced ahead hold from their time on, and one that is withdrawn never does."""

from datetime import UTC, datetime
from typing import Any

import httpx
from msgspec import Raw

from predsurv.core.events import MarketChange
from predsurv.core.market import FeeSchedule
from predsurv.venues.kalshi.fee_calendar import CALENDAR_INTERVAL, LOOK_UP_INTERVAL, REPEATED, FeeCalendarPoller
from predsurv.venues.kalshi.rest_wire import EventRow, SeriesRow
from predsurv.venues.kalshi.series_terms import EventDirectory
from predsurv.venues.kalshi.terms_lookup import TermsLookup
from tests.kit.event_list import EventList
from tests.kit.scripted_kalshi_rest import Pages

S = 1_000_000_000
X = "KXN-26-X"
USUAL, HALF = FeeSchedule("kalshi", 70_000), FeeSchedule("kalshi", 35_000)


class Bench:
    """A calendar of the fees of ``tickers``."""

    def __init__(self, *tickers: str) -> None:
        self.pages = Pages(events__fee_changes=[{"event_fee_changes": []}])
        self.directory = EventDirectory({"KXN": SeriesRow("KXN", fee_type="quadratic", fee_multiplier=Raw(b"1"))})
        self.tickers = [*tickers]
        self.sink = EventList()
        rest = self.pages.rest()
        terms = TermsLookup(rest, self.pages.clock, self.directory)
        self.poller = FeeCalendarPoller(rest, self.pages.clock, self.directory, lambda: self.tickers, terms)
        self.at = (self.pages.clock.now() // S + 7_200) * S

    def date(self, seconds: int = 0) -> str:
        return datetime.fromtimestamp(self.at // S + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def of_series(self, *rows: dict[str, Any]) -> None:
        made = [
            {"id": "1", "series_ticker": "KXN", "fee_type": "quadratic", "fee_multiplier": 0.5, **row} for row in rows
        ]
        self.pages.set(series__fee_changes=[{"series_fee_change_arr": made}])

    def of_event(self, *rows: dict[str, Any]) -> None:
        made = [{"event_ticker": "KXN-26", "series_ticker": "KXN", **row} for row in rows]
        self.pages.set(events__fee_changes=[{"event_fee_changes": made, "cursor": ""}])

    async def read(self) -> list[tuple[str, int | None, int | None]]:
        """Read the announcements again; return market, rate and time of each that is told."""
        await self.poller.round(self.sink)
        told = [event for event in self.sink.take() if isinstance(event, MarketChange)]
        await self.pages.clock.sleep(CALENDAR_INTERVAL)
        return [(each.market_id, each.fee.rate if each.fee else None, each.effective) for each in told]


async def test_a_scheduled_fee_of_a_series_is_told_of_its_watched_markets_once() -> None:
    bench = Bench(X, "KXOTHER-26-X")
    bench.of_series({"scheduled_ts": bench.date()}, {"scheduled_ts": bench.date(-40 * 86_400), "fee_multiplier": 3})
    await bench.poller.round(bench.sink)
    (event,) = bench.sink.take()
    assert isinstance(event, MarketChange)
    assert (event.kind, event.market_id, event.effective) == ("fee", X, bench.at)
    assert event.fee == FeeSchedule("kalshi", 35_000, since=bench.at)
    assert await bench.read() == []
    bench.tickers.append("KXN-27-Y")
    assert await bench.read() == [("KXN-27-Y", 35_000, bench.at)], "watched later"


async def test_a_fee_that_is_announced_long_ahead_is_told_every_day() -> None:
    bench = Bench(X)
    bench.of_series({"scheduled_ts": bench.date(10 * 86_400)})
    days = []
    for _ in range(11 * REPEATED // CALENDAR_INTERVAL):
        now = bench.pages.clock.now()
        days += [(now - bench.at) // REPEATED for _ in await bench.read()]
    assert days == list(range(-1, 10)), "so that a recording of the last days before it has it"


async def test_a_fee_that_is_announced_anew_or_withdrawn_is_told() -> None:
    bench = Bench(X)
    bench.of_series({"scheduled_ts": bench.date()})
    assert await bench.read() == [(X, 35_000, bench.at)]
    bench.of_series({"scheduled_ts": bench.date(), "fee_multiplier": 2})
    assert await bench.read() == [(X, 140_000, bench.at)]
    bench.of_series()
    assert await bench.read() == [(X, 70_000, bench.at)], "as it is now"
    assert await bench.read() == []


async def test_the_fee_of_an_event_goes_before_its_series() -> None:
    bench = Bench(X)
    bench.of_event({"scheduled_ts": bench.date(), "fee_multiplier_override": 0})
    bench.of_series({"scheduled_ts": bench.date(60)}, {"scheduled_ts": bench.date(-60)})
    minute = 60 * S
    assert await bench.read() == [(X, 35_000, bench.at - minute), (X, 0, bench.at)]
    bench.directory.add(EventRow("KXN-26", fee_type_override="quadratic"))
    other = Bench(X)
    other.directory.add(EventRow("KXN-26", fee_type_override="quadratic"))
    other.of_series({"scheduled_ts": other.date()})
    assert await other.read() == [], "the event has a fee of its own already"


async def test_an_event_that_loses_its_own_fee_has_that_of_its_series() -> None:
    bench = Bench(X)
    bench.of_event({"scheduled_ts": bench.date(), "fee_type_override": None, "fee_multiplier_override": None})
    assert await bench.read() == [(X, 70_000, bench.at)]


async def test_the_end_of_a_waiver_is_a_fee_to_come() -> None:
    bench = Bench(X)
    bench.directory.add_waiver(X, bench.at)
    assert await bench.read() == [(X, 70_000, bench.at)]


async def test_unreadable_announcements_cost_themselves_only() -> None:
    bench = Bench(X)
    bench.of_series({"scheduled_ts": "soon"}, {"scheduled_ts": bench.date(), "fee_multiplier": "x"}, {})
    bench.of_event({"scheduled_ts": bench.date(), "fee_multiplier_override": 0.5})
    assert await bench.read() == [(X, 35_000, bench.at)]
    bench.pages.set(series__fee_changes=[httpx.Response(404)])
    assert await bench.read() == [], "what was read before stands"


class PastBench(Bench):
    """A calendar with changes that came before it was read; ``event`` and ``market``: what the venue has of X."""

    def __init__(self, *, event: dict[str, Any] | None = None, market: dict[str, Any] | None = None) -> None:
        super().__init__(X)
        self.at -= 4 * 3_600 * S
        row = {"ticker": X, "event_ticker": "KXN-26", "status": "active", "title": "Will it?", **(market or {})}
        event_row = {"event_ticker": "KXN-26", "series_ticker": "KXN", "title": "N", **(event or {})}
        self.pages.set(markets=[{"markets": [row], "cursor": ""}], events=[{"events": [event_row], "cursor": ""}])


async def test_a_fee_that_came_since_the_list_was_read_is_told_once_with_its_time() -> None:
    bench = PastBench()
    bench.of_series({"scheduled_ts": bench.date()}, {"scheduled_ts": bench.date(-60), "fee_multiplier": 3})
    assert await bench.read() == [(X, 35_000, bench.at)], "the last of them"
    days = [each for _ in range(2 * REPEATED // CALENDAR_INTERVAL) for each in await bench.read()]
    assert days == []
    assert bench.pages.paths().count("/markets") == 1


async def test_a_market_with_a_fee_of_its_own_does_not_follow_its_series() -> None:
    own = PastBench(event={"fee_type_override": "quadratic", "fee_multiplier_override": 2})
    own.of_series({"scheduled_ts": own.date()})
    assert await own.read() == []
    waived = PastBench(market={"fee_waiver_expiration_time": "2100-01-01T00:00:00Z"})
    waived.of_series({"scheduled_ts": waived.date()})
    assert [each for each in await waived.read() if each[2] == waived.at] == []


async def test_the_fee_that_an_event_was_given_came_with_its_time_and_so_did_its_end() -> None:
    given = PastBench(event={"fee_type_override": "quadratic", "fee_multiplier_override": 2})
    given.of_event({"scheduled_ts": given.date(), "fee_multiplier_override": 2})
    given.of_series({"scheduled_ts": given.date(60)})
    assert await given.read() == [(X, 140_000, given.at)]
    lost = PastBench()
    lost.of_event(
        {"scheduled_ts": lost.date(), "fee_type_override": None, "fee_multiplier_override": None},
        {"scheduled_ts": lost.date(-60), "fee_multiplier_override": 0},
    )
    assert await lost.read() == [(X, 70_000, lost.at)]
    lost.of_series({"scheduled_ts": lost.date(-30)})
    assert await lost.read() == [(X, 35_000, lost.at)], "the series has changed meanwhile"


async def test_nothing_that_came_is_told_before_the_market_could_be_asked_for() -> None:
    bench = PastBench()
    bench.pages.set(markets=[httpx.Response(404), {"markets": [], "cursor": ""}])
    bench.of_series({"scheduled_ts": bench.date()})
    await bench.poller.round(bench.sink)
    await bench.poller.round(bench.sink)
    assert bench.sink.take() == []
    assert bench.pages.paths().count("/markets") == 1
    await bench.pages.clock.sleep(LOOK_UP_INTERVAL)
    assert await bench.read() == [(X, 35_000, bench.at)]


async def test_a_change_that_came_between_two_readings_is_told() -> None:
    bench = PastBench()
    assert await bench.read() == []
    bench.at = bench.pages.clock.now() // S * S - 5 * S
    bench.of_series({"scheduled_ts": bench.date()})
    assert await bench.read() == [(X, 35_000, bench.at)]
