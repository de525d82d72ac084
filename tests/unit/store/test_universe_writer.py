"""Tests of predsurv.store.universe_writer."""

import logging
import multiprocessing
import os
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from predsurv.core.ids import EventId, MarketId, VenueName
from predsurv.core.market import Market
from predsurv.core.num import Money, Price
from predsurv.store.layout import Layout
from predsurv.store.listing_history import statement, versions
from predsurv.store.universe import LINE_BYTES_MAX, MarketLine, format_line, parse_line, read_universe, to_line
from predsurv.store.universe_writer import UniverseWriter
from tests.kit.market_samples import NOW, market

MOCK = VenueName("mock")
MINUTE = 60_000_000_000


def at(minute: int, number: int = 1, **values: object) -> Market:
    return replace(market(number), fetched_at=NOW + minute * MINUTE, **values)


def scan(data_dir: Path, minute: int, *markets: Market, whole: bool = True) -> Path:
    """Write the scan that began at ``minute`` and fetched ``markets``."""
    with UniverseWriter(data_dir, MOCK, NOW + minute * MINUTE) as writer:
        for each in markets:
            writer.write(each)
        return writer.commit(whole=whole)


def lines(path: Path) -> Mapping[str, MarketLine]:
    return {line.market_id: line for line in map(parse_line, path.read_bytes().splitlines())}


def test_a_later_scan_of_the_day_updates_and_adds(tmp_path: Path) -> None:
    scan(tmp_path, 0, at(0, 1, volume=Money(1)), at(0, 2))
    path = scan(tmp_path, 9, at(9, 1, volume=Money(2), tick_size=Price(1_000)), at(9, 2), at(9, 3))
    found = list(read_universe(path))
    assert [each.market_id for each in found] == ["m1", "m2", "m3"]
    assert (found[0].volume, found[0].tick_size, found[0].fetched_at) == (2, 1_000, NOW + 9 * MINUTE)
    told = [statement(each) for each in versions(lines(path)["m1"])]
    assert [(each.ts_recv, each.market.tick_size if each.market else None) for each in told] == [
        (NOW, 10_000),
        (NOW + 9 * MINUTE, 1_000),
    ]
    assert len(versions(lines(path)["m2"])) == 1
    assert list(path.parent.iterdir()) == [path]
    assert list(Layout(tmp_path).staging("scan").iterdir()) == []


def test_a_market_that_a_scan_found_twice_has_one_line_in_its_first_place(tmp_path: Path) -> None:
    path = scan(tmp_path, 0, at(0, 1, volume=Money(1)), at(0, 2), at(1, 1, volume=Money(2)))
    assert [(each.market_id, each.volume) for each in read_universe(path)] == [("m1", 2), ("m2", market(2).volume)]


def test_the_first_scan_of_a_day_is_the_file_as_it_was_written(tmp_path: Path) -> None:
    path = scan(tmp_path, 0, at(0, 2), at(0, 1))
    assert path.read_bytes() == b"".join(format_line(to_line(each)) for each in (at(0, 2), at(0, 1)))
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(Layout(tmp_path).staging("scan").iterdir()) == []


def test_a_market_that_is_no_longer_listed_stays_with_the_time_it_was_last_seen(tmp_path: Path) -> None:
    scan(tmp_path, 0, at(0, 1), at(0, 2))
    for minute in (9, 18):
        path = scan(tmp_path, minute, at(minute, 2))
        gone, there = read_universe(path)
        assert gone == replace(at(0, 1), last_seen=NOW)
        assert there.last_seen is None
    again = scan(tmp_path, 27, at(27, 1), at(27, 2))
    assert [each.last_seen for each in read_universe(again)] == [None, None]


def test_a_filtered_or_cut_scan_takes_nothing_away(tmp_path: Path) -> None:
    scan(tmp_path, 0, at(0, 1), at(0, 2))
    path = scan(tmp_path, 9, at(9, 2), whole=False)
    assert [each.last_seen for each in read_universe(path)] == [None, None]


def test_only_a_whole_scan_takes_back_that_an_event_is_exhaustive(tmp_path: Path) -> None:
    scan(tmp_path, 0, at(0, 1, exhaustive=True), at(0, 2, exhaustive=True))
    path = scan(tmp_path, 9, at(9, 2, exhaustive=False), at(9, 3, exhaustive=False), whole=False)
    assert [each.exhaustive for each in read_universe(path)] == [True, True, False]
    assert [parse_line(line).replaced for line in path.read_bytes().splitlines()] == [(), (), ()]
    path = scan(tmp_path, 18, *(at(18, number, exhaustive=False) for number in (1, 2, 3)))
    assert [each.exhaustive for each in read_universe(path)] == [False, False, False]


def test_a_market_that_the_query_leaves_out_is_updated_and_not_added(tmp_path: Path) -> None:
    scan(tmp_path, 0, at(0, 1), at(0, 2))
    with UniverseWriter(tmp_path, MOCK, NOW + 9 * MINUTE) as writer:
        writer.write(at(9, 2))
        writer.update(at(9, 2, status="paused"))
        writer.update(at(9, 1, status="closed", tradable=False))
        writer.update(at(9, 3))
        path = writer.commit()
    found = list(read_universe(path))
    assert [(each.market_id, each.status, each.last_seen) for each in found] == [
        ("m1", "closed", None),
        ("m2", "active", None),
    ]
    with UniverseWriter(tmp_path / "other", MOCK, NOW) as writer:
        writer.update(at(0, 1))
        assert list(read_universe(writer.commit())) == []


def test_a_new_day_begins_a_new_file(tmp_path: Path) -> None:
    first = scan(tmp_path, 0, at(0, 1), at(0, 2))
    before = first.read_bytes()
    second = scan(tmp_path, 24 * 60, at(24 * 60, 1))
    assert [each.market_id for each in read_universe(second)] == ["m1"]
    assert first.read_bytes() == before


def test_a_market_listed_twice_in_a_scan_has_one_line_with_what_was_fetched_last(tmp_path: Path) -> None:
    path = scan(tmp_path, 0, at(0, 1), at(0, 2), at(1, 1, volume=Money(7)))
    assert [(each.market_id, each.volume) for each in read_universe(path)] == [("m1", 7), ("m2", None)]


def test_marking_an_event_inexhaustive_changes_its_written_lines(tmp_path: Path) -> None:
    full = [at(0, number, exhaustive=True) for number in (1, 2)]
    with UniverseWriter(tmp_path, MOCK, NOW) as writer:
        for each in (*full, at(0, 3)):
            writer.write(each)
        writer.mark_inexhaustive(frozenset())
        writer.mark_inexhaustive({EventId("e1"), EventId("e3")})
        path = writer.commit()
    assert list(read_universe(path)) == [replace(full[0], exhaustive=False), full[1], at(0, 3)]
    assert list(Layout(tmp_path).staging("scan").iterdir()) == []


def test_a_scan_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = scan(tmp_path, 0, at(0, 1))
    before = path.read_bytes()
    with pytest.raises(OverflowError):
        scan(tmp_path, 9, at(9, 2), replace(at(9, 3), fetched_at=10**30))
    assert path.read_bytes() == before
    assert list(Layout(tmp_path).staging("scan").iterdir()) == []


@pytest.mark.parametrize(
    "damage",
    [b"\x00\xff{", b'{"market_id":"m2","event_id":"e"}', b'{"market_id":"m1","event_id":"e"}', b"x" * (1 << 21)],
)
def test_damage_in_the_old_file_costs_what_it_said_and_not_the_scan(
    tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = scan(tmp_path, 0, at(0, 8))
    path.write_bytes(damage + b"\n" + path.read_bytes().rstrip(b"\n"))
    with caplog.at_level(logging.WARNING):
        scan(tmp_path, 9, at(9, 1), at(9, 2))
    assert [each.market_id for each in read_universe(path)] == ["m8", "m1", "m2"]
    [record] = caplog.records
    assert str(path) in record.getMessage()
    assert "damaged" in record.getMessage()


def test_an_old_file_that_cannot_be_read_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = scan(tmp_path, 0, at(0, 1))
    opened = Path.open

    def refuse(each: Path, *mode: Any) -> Any:
        if each == path:
            raise OSError(5, "Input/output error")
        return opened(each, *mode)

    with caplog.at_level(logging.WARNING), monkeypatch.context() as patched:
        patched.setattr(Path, "open", refuse)
        scan(tmp_path, 9, at(9, 2))
    assert [each.market_id for each in read_universe(path)] == ["m2"]
    assert "Input/output error" in caplog.text


def test_a_line_that_would_be_too_long_goes_without_description_and_then_without_history(tmp_path: Path) -> None:
    path = scan(tmp_path, 0, at(0, 1, description="x" * LINE_BYTES_MAX))
    assert list(read_universe(path)) == [at(0, 1)]
    huge = "y" * (LINE_BYTES_MAX - 2_000)
    scan(tmp_path, 9, at(9, 1, question=huge))
    scan(tmp_path, 18, at(18, 1, question=huge[:-1]))
    [line] = lines(path).values()
    assert (line.question, line.replaced) == (huge[:-1], ())


def test_a_scan_that_ends_later_may_have_begun_earlier(tmp_path: Path) -> None:
    slow = UniverseWriter(tmp_path, MOCK, NOW)
    slow.write(at(1, 1))
    path = scan(tmp_path, 2, at(3, 1, tick_size=Price(1_000)), at(3, 2))
    slow.commit()
    found = list(read_universe(path))
    assert [(each.market_id, each.tick_size, each.last_seen) for each in found] == [
        ("m1", 1_000, None),
        ("m2", 10_000, None),
    ]
    told = [statement(each) for each in versions(lines(path)["m1"])]
    assert [(each.ts_recv - NOW) // MINUTE for each in told] == [1, 3]


def _scan_often(folder: str, number: int) -> None:
    for minute in range(10):
        scan(Path(folder), minute, at(minute, number), at(minute, 99), whole=False)


def test_scans_of_several_processes_at_once_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    running = [context.Process(target=_scan_often, args=(str(tmp_path), number)) for number in (1, 2, 3)]
    for process in running:
        process.start()
    for process in running:
        process.join()
        assert process.exitcode == 0
    path = Layout(tmp_path).universe(MOCK, "2027-01-15")
    found = {each.market_id: each for each in read_universe(path)}
    assert found.keys() == {"m1", "m2", "m3", "m99"}
    assert {each.fetched_at for each in found.values()} == {NOW + 9 * MINUTE}
    assert all(len(versions(line)) == 1 for line in lines(path).values())


def test_old_lines_without_the_new_fields_are_updated(tmp_path: Path) -> None:
    path = scan(tmp_path, 0, at(0, 1))
    old = msgspec.json.decode(path.read_bytes())
    assert not {"replaced", "unchanged_since", "last_seen", "assumed"} & old.keys()
    scan(tmp_path, 9, at(9, 1, status="paused"))
    told = versions(lines(path)["m1"])
    assert [(each.status, MarketId(each.market_id)) for each in told] == [("active", "m1"), ("paused", "m1")]


def test_memory_does_not_grow_with_the_size_of_the_lines(tmp_path: Path) -> None:
    lines_of_day, text, path = 1_000, "x" * 20_000, Layout(tmp_path).universe(MOCK, "2027-01-15")
    for minute in (0, 9):
        tracemalloc.start()
        with UniverseWriter(tmp_path, MOCK, NOW + minute * MINUTE) as writer:
            for number in range(lines_of_day):
                writer.write(at(minute, number + minute, description=text, tick_size=Price(1_000 * (1 + minute))))
            writer.commit()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert path.stat().st_size > lines_of_day * len(text)
        assert peak < lines_of_day * len(text) // 10
    assert sum(1 for _ in read_universe(path)) == lines_of_day + 9


def _scan_and_die(folder: str) -> None:
    writer = UniverseWriter(Path(folder), MOCK, NOW)
    writer.write(at(0, 1))
    os._exit(9)


def test_the_draft_of_a_killed_scan_is_removed_by_the_next_one_and_not_that_of_a_running_one(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_scan_and_die, args=(str(tmp_path),))
    process.start()
    process.join()
    folder = Layout(tmp_path).staging("scan")
    assert len(list(folder.iterdir())) == 1
    running = UniverseWriter(tmp_path, MOCK, NOW)
    running.write(at(0, 1))
    scan(tmp_path, 0, at(0, 2))
    assert len(list(folder.iterdir())) == 1
    assert {each.market_id for each in read_universe(running.commit(whole=False))} == {"m1", "m2"}
    assert list(folder.iterdir()) == []
