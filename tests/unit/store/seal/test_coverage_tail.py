"""Tests of predsurv.store.seal.coverage_tail."""

from collections.abc import Callable

from predsurv.core.ids import VenueName
from predsurv.core.records import Record
from predsurv.net.clock import ManualClock
from predsurv.store.layout import Layout
from predsurv.store.seal.coverage_tail import last_sealed_times, sealed_intervals
from predsurv.store.seal.seal import seal_segment
from predsurv.store.wal.log import WriteAheadLog

MOCK = VenueName("mock")


def test_last_sealed_times_are_those_of_earlier_segments(
    layout: Layout, clock: ManualClock, records: Callable[[int, int], list[Record]]
) -> None:
    assert last_sealed_times(layout, "c0", 5) == {}
    log = WriteAheadLog(layout.state, "c0", clock)
    for turn in range(2):
        log.append(records(turn * 20, 20))
        path = log.rotate()
        assert path is not None
        seal_segment(path, layout, clock)
    log.close()
    ends = [last_sealed_times(layout, "c0", number).get(MOCK, 0) - clock.now() for number in (1, 2, 3)]
    assert ends == [-clock.now(), 19_000_000, 39_000_000]
    assert last_sealed_times(layout, "c1", 3) == {}
    assert len(list(sealed_intervals(layout, "c0", MOCK, clock.now()))) == 4
