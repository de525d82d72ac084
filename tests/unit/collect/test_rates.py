"""Rates are computed from two readings, totals from the last."""

from predsurv.collect.rates import CounterReading, RateMeter
from predsurv.collect.status import CollectorStatus, ConnectionStatus, LatencyHistogram, VenueStatus
from tests.kit.recorder_samples import START, VENUE, S


def reading(at: int, events: int, size: int = 0, latency: LatencyHistogram | None = None) -> CounterReading:
    venue = VenueStatus(
        venue=VENUE,
        state="recording",
        wanted=9,
        trusted=8,
        events=events,
        connects=3,
        connections=(ConnectionStatus(1, START, 9, 8, START),),
        gaps={"stall": 1, "disconnect": 5},
        last_data=START,
        next_rotation=7 * S,
        all_seen=70 * S,
        gap_ns={"stall": S, "disconnect": 5 * S},
    )
    return CounterReading(
        status=CollectorStatus(at=at, now=START, venues=(venue,)),
        rows=7,
        bytes=size,
        latency=latency or LatencyHistogram(),
    )


def test_rates_are_per_second_since_the_last_reading_and_growth_since_the_first() -> None:
    panel = RateMeter(reading(0, 100, 1_000))
    facts = panel.update(reading(2 * S, 1_100, 5_000))
    assert (facts.events_per_s, facts.bytes_per_s, facts.running) == (500, 2_000, 2 * S)
    facts = panel.update(reading(4 * S, 1_100, 5_000))
    assert (facts.events_per_s, facts.bytes_per_s, facts.running) == (0, 1_000, 4 * S)


def test_wanted_time_is_that_between_readings_summed_over_books() -> None:
    panel = RateMeter(reading(0, 0))
    assert panel.update(reading(2 * S, 0)).wanted_ns == 2 * S * 9
    assert panel.update(reading(5 * S, 0)).wanted_ns == 5 * S * 9


def test_venues_add_up() -> None:
    both = reading(S, 10)
    both = CounterReading(status=CollectorStatus(at=S, now=START, venues=both.status.venues * 2), rows=7)
    facts = RateMeter(both).update(both)
    assert (facts.wanted, facts.trusted, facts.connections, both.events) == (18, 16, 2, 20)
    assert list(facts.gap_ns.items()) == [("disconnect", 10 * S), ("stall", 2 * S)]
    assert (facts.next_rotation, facts.all_seen, facts.rows) == (7 * S, 70 * S, 7)


def test_latency_is_shown_when_there_is_any() -> None:
    histogram = LatencyHistogram()
    panel = RateMeter(reading(0, 0))
    assert panel.update(reading(S, 0, latency=histogram)).lag_p50 is None
    for _ in range(100):
        histogram.add(3_000_000)
    facts = panel.update(reading(2 * S, 0, latency=histogram))
    assert facts.lag_p50 is not None
    assert 2_000_000 <= facts.lag_p50 <= facts.lag_p99 <= 3_000_000  # type: ignore[operator]


def test_without_events_every_rate_is_zero_and_latency_is_none() -> None:
    empty = CounterReading(status=CollectorStatus(at=0, now=START))
    facts = RateMeter(empty).update(empty)
    assert (facts.wanted, facts.next_rotation, facts.all_seen, facts.gap_ns) == (0, None, None, {})
