"""What the processes of one recording counted, as one: for the panel, the log and the report."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from msgspec.structs import replace

from predsurv.collect.rates import CounterReading
from predsurv.collect.report import CollectReport, VenueReport
from predsurv.collect.status import (
    DEGRADED_BELOW,
    CollectorStatus,
    LatencyHistogram,
    RescanStatus,
    State,
    UploadStatus,
    VenueStatus,
)
from predsurv.core.num import MICROS

_Key = TypeVar("_Key")
_Item = TypeVar("_Item")


def merged_reading(readings: Sequence[CounterReading]) -> CounterReading:
    """Return the running totals of all processes; raises ValueError without any."""
    latency = LatencyHistogram()
    for reading in readings:
        latency = latency.merge(reading.latency)
    return CounterReading(
        status=merged_status([reading.status for reading in readings]),
        rows=sum(reading.rows for reading in readings),
        bytes=sum(reading.bytes for reading in readings),
        latency=latency,
    )


def named_reading(reading: CounterReading, collector: str) -> CounterReading:
    """Return ``reading`` with each connection marked as one of ``collector``."""
    venues = tuple(
        replace(venue, connections=tuple(replace(each, collector=collector) for each in venue.connections))
        for venue in reading.status.venues
    )
    return replace(reading, status=replace(reading.status, venues=venues))


def merged_status(statuses: Sequence[CollectorStatus]) -> CollectorStatus:
    """Return the status of the whole recording; the machine's clock and its disk are the same for all."""
    latest = max(statuses, key=lambda each: each.at)
    paused = sorted({each.paused for each in statuses if each.paused is not None})
    return CollectorStatus(
        at=latest.at,
        now=latest.now,
        venues=tuple(_venues(each.venues for each in statuses)),
        disk_free=latest.disk_free,
        unsealed=sum(each.unsealed for each in statuses),
        waiting=sum(each.waiting for each in statuses),
        paused="; ".join(paused) or None,
        lag_p50=_largest(each.lag_p50 for each in statuses),
        lag_p99=_largest(each.lag_p99 for each in statuses),
        bucket=_bucket(each.bucket for each in statuses),
        rescans=_rescans(each.rescans for each in statuses),
        clock_steps=max(each.clock_steps for each in statuses),
    )


def _venues(all_venues: Iterable[Sequence[VenueStatus]]) -> list[VenueStatus]:
    return [_venue(group) for group in _by_name(all_venues, lambda each: each.venue)]


def _venue(parts: Sequence[VenueStatus]) -> VenueStatus:
    connections = sorted(
        (each for part in parts for each in part.connections), key=lambda each: (each.last_data, each.epoch)
    )
    return VenueStatus(
        venue=parts[0].venue,
        state=_state(parts),
        wanted=sum(part.wanted for part in parts),
        trusted=sum(part.trusted for part in parts),
        events=sum(part.events for part in parts),
        connects=sum(part.connects for part in parts),
        connections=tuple(connections),
        gaps=_added(part.gaps for part in parts),
        last_data=max(part.last_data for part in parts),
        next_rotation=min((part.next_rotation for part in parts if part.next_rotation is not None), default=None),
        all_seen=_largest(part.all_seen for part in parts),
        revisit=_largest(part.revisit for part in parts),
        failure=next((part.failure for part in parts if part.failure is not None), None),
        proofs=_added(part.proofs for part in parts),
        phase=next((part.phase for part in parts if part.phase is not None), None),
        waiting=sum(part.waiting for part in parts),
        missing=_added(part.missing for part in parts),
        clock_offset=min((part.clock_offset for part in parts if part.clock_offset is not None), default=None),
        gap_ns=_added(part.gap_ns for part in parts),
    )


def _state(parts: Sequence[VenueStatus]) -> State:
    """Return the state of one venue in all processes, by the same rules as in one."""
    wanted, trusted = sum(part.wanted for part in parts), sum(part.trusted for part in parts)
    if not wanted:
        return "idle"
    if not trusted:
        return "blind" if any(part.state == "blind" for part in parts) else "starting"
    return "recording" if trusted * MICROS >= wanted * DEGRADED_BELOW else "degraded"


def merged_report(reports: Sequence[CollectReport]) -> CollectReport:
    """Return the result of the whole recording; its latencies are those of the slowest process."""
    return CollectReport(
        venues=tuple(
            _venue_report(group) for group in _by_name((report.venues for report in reports), lambda each: each.venue)
        ),
        rows=_added(report.rows for report in reports),
        bytes=_added(report.bytes for report in reports),
        seals=sum(report.seals for report in reports),
        recovered=sum(report.recovered for report in reports),
        damaged=tuple(what for report in reports for what in report.damaged),
        duration=max(report.duration for report in reports),
        bucket=_bucket(report.bucket for report in reports),
        rescans=_rescans(report.rescans for report in reports),
    )


def _venue_report(parts: Sequence[VenueReport]) -> VenueReport:
    return VenueReport(
        venue=parts[0].venue,
        instruments=sum(part.instruments for part in parts),
        events=sum(part.events for part in parts),
        orphans=sum(part.orphans for part in parts),
        malformed=sum(part.malformed for part in parts),
        unknown=sum(part.unknown for part in parts),
        dropped=sum(part.dropped for part in parts),
        gaps=_added(part.gaps for part in parts),
        covered_ns=sum(part.covered_ns for part in parts),
        gap_ns=_added(part.gap_ns for part in parts),
        lag_p50=_largest(part.lag_p50 for part in parts),
        lag_p99=_largest(part.lag_p99 for part in parts),
        lag_peak=_largest(part.lag_peak for part in parts),
        failure=next((part.failure for part in parts if part.failure is not None), None),
    )


def _bucket(parts: Iterable[UploadStatus | None]) -> UploadStatus | None:
    found = [part for part in parts if part is not None]
    if not found:
        return None
    troubled = next((part for part in found if part.trouble is not None), found[0])
    return replace(
        troubled,
        waiting=sum(part.waiting for part in found),
        bytes=sum(part.bytes for part in found),
        failures=sum(part.failures for part in found),
        refused=any(part.refused for part in found),
        remote_checked=sum(part.remote_checked for part in found),
        remote_missing=sum(part.remote_missing for part in found),
        remote_restored=sum(part.remote_restored for part in found),
        remote_lost=sum(part.remote_lost for part in found),
    )


def _rescans(parts: Iterable[RescanStatus | None]) -> RescanStatus | None:
    """Return the readings of the lists: one reading serves all processes, and news are each process's own."""
    found = [part for part in parts if part is not None]
    if not found:
        return None
    return RescanStatus(
        completed=min(part.completed for part in found),
        failed=max(part.failed for part in found),
        news=sum(part.news for part in found),
        last=max(part.last for part in found),
        due=min(part.due for part in found),
        running=any(part.running for part in found),
        trouble=next((part.trouble for part in found if part.trouble is not None), None),
    )


def _by_name(parts: Iterable[Sequence[_Item]], name: Callable[[_Item], str]) -> list[list[_Item]]:
    """Return the items of all parts, grouped by name, in the order of their first."""
    groups: dict[str, list[_Item]] = {}
    for items in parts:
        for item in items:
            groups.setdefault(name(item), []).append(item)
    return list(groups.values())


def _added(counts: Iterable[Mapping[_Key, int]]) -> dict[_Key, int]:
    total: Counter[_Key] = Counter()
    for each in counts:
        total.update(each)
    return dict(total)


def _largest(values: Iterable[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)
