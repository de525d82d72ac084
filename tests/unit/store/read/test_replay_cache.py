"""What is kept of decoded files is used for what it was made of and nothing else, and never more than its limit."""

import os
import shutil
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from predsurv.core.errors import IntegrityError
from predsurv.core.events import BookDelta, BookSnapshot, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, TradeId, VenueName
from predsurv.core.native import speedups
from predsurv.core.num import Price, Size
from predsurv.store.layout import NS_HOUR, Layout, parse_file
from predsurv.store.read import rows as rows_module
from predsurv.store.read.cursor import ReplayQuery
from predsurv.store.read.replay import list_files
from predsurv.store.read.replay_cache import REPLAY_CACHE, ReplayCache
from predsurv.store.read.rows import RowFiles
from predsurv.store.read.tables import ReplayFile, load
from tests.kit.recordings import record

pytestmark = pytest.mark.skipif(speedups is None, reason="there was no C compiler")

NOON = 1_800_014_400_000_000_000
MOCK = VenueName("mock")
KEYS = [InstrumentKey(MOCK, MarketId("m"), InstrumentId(name)) for name in ("yes", "no", "other")]
QUERY = ReplayQuery(MOCK, NOON, NOON + NS_HOUR, frozenset(KEYS[:2]))
LIMIT = 10**6


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Return a recording of two segments, with a file of changes and one of trades each."""
    record(tmp_path, NOON + NS_HOUR, *(list(_events(NOON + n * 1_000)) for n in range(2)))
    return Layout(tmp_path)


def _events(ts: int) -> Iterator[BookSnapshot | BookDelta | Trade]:
    for key in KEYS:
        yield BookSnapshot(key, ts, None, 1, None, ((Price(400_000), Size(5)),), ((Price(600_000), Size(7)),))
    for n in range(40):
        yield BookDelta(KEYS[n % 3], ts + n, ts, 1, n, "bid", Price(n), Size(n))
    yield Trade(KEYS[0], ts + 50, None, Price(500_000), Size(3), "buy", TradeId("t1"))


class Read(NamedTuple):
    """What a reader made of the files: how many rows, and how often it decoded one."""

    rows: list[int]
    decoded: int


@pytest.fixture
def read(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Read]:
    """Return a function that reads the recording with a new cache."""
    decoded: list[ReplayFile] = []

    def counting(source: ReplayFile, make: Callable[[ReplayFile, int | None], object]) -> object:
        decoded.append(source)
        return load(source, make)

    monkeypatch.setattr(rows_module, "load", counting)

    def read(limit: int = LIMIT, query: ReplayQuery = QUERY) -> Read:
        decoded.clear()
        cache = ReplayCache(layout.state / REPLAY_CACHE, limit)
        files = RowFiles(layout, [query], lambda _, instrument: ["yes", "no", "other"].index(instrument), cache)
        found = [len(each) for each in files.open_until(query.end)]
        return Read(found, len(decoded))

    return read


def entries(layout: Layout) -> list[Path]:
    return sorted((layout.state / REPLAY_CACHE).iterdir(), key=lambda path: path.stat().st_size)


def test_a_second_reader_decodes_nothing(read: Callable[..., Read]) -> None:
    first = read()
    assert (first.decoded, read()) == (4, Read(first.rows, 0))


def test_another_part_of_a_recording_is_another_entry(read: Callable[..., Read], layout: Layout) -> None:
    read()
    fewer = ReplayQuery(MOCK, NOON, NOON + NS_HOUR, frozenset(KEYS[:1]))
    sooner = ReplayQuery(MOCK, NOON, NOON + 1_020, frozenset(KEYS[:2]))
    assert read(query=fewer).decoded == 4
    assert read(query=sooner).decoded == 1  # of one file the last rows are left out, of another all
    assert read(query=ReplayQuery(MOCK, NOON, NOON + NS_HOUR)).decoded == 4
    assert len(entries(layout)) == 13
    assert (read().decoded, read(query=fewer).decoded, read(query=sooner).decoded) == (0, 0, 0)


@pytest.mark.parametrize("part", [0.0, 0.4, 0.8, 0.97, 0.999])
def test_an_entry_that_is_damaged_anywhere_is_made_again(
    read: Callable[..., Read], layout: Layout, part: float
) -> None:
    whole = read().rows
    path = entries(layout)[-1]
    content = bytearray(path.read_bytes())
    content[int(part * len(content))] ^= 4
    path.write_bytes(content)
    assert read() == Read(whole, 1)
    assert read() == Read(whole, 0)


@pytest.mark.parametrize("length", [0, 20, 500])
def test_an_entry_that_was_cut_short_is_made_again(read: Callable[..., Read], layout: Layout, length: int) -> None:
    whole = read().rows
    os.truncate(entries(layout)[-1], length)
    assert read() == Read(whole, 1)


def test_a_file_that_was_touched_is_compared_with_its_manifest_again(read: Callable[..., Read], layout: Layout) -> None:
    read()
    path = next((layout.data_dir / "book_deltas").rglob("*.parquet"))
    os.utime(path, ns=(1, 1))
    assert read().decoded == 1
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match="damaged"):
        read()


def test_a_later_part_of_a_file_that_has_to_be_decoded_is_compared_too(
    read: Callable[..., Read], layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_module, "ROWS_MAX", 25)
    whole = read()
    assert whole.decoded > 4
    path = next((layout.data_dir / "book_deltas").rglob("*.parquet"))
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[60] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # as if the disk had changed it
    assert read() == Read(whole.rows, 0)
    cache = ReplayCache(layout.state / REPLAY_CACHE, LIMIT)
    parts = [each for each in list_files(layout, QUERY, 25) if each.path == path]
    collector = parse_file(path)[1].collector
    last = cache.entry(parts[-1], QUERY.of_collector(collector))
    assert last is not None
    last.path.unlink()
    with pytest.raises(IntegrityError, match="damaged"):
        read()


def test_what_no_manifest_lists_or_is_gone_has_no_entry(layout: Layout, read: Callable[..., Read]) -> None:
    source = next(each for each in list_files(layout, QUERY) if each.dataset == "deltas")
    cache = ReplayCache(layout.state / REPLAY_CACHE, LIMIT)
    assert cache.entry(source, QUERY) is not None
    source.path.unlink()
    assert cache.entry(source, QUERY) is None
    shutil.rmtree(layout.manifest)
    assert read().decoded == 3
    assert not (layout.state / REPLAY_CACHE).exists()


def test_what_was_not_used_for_longest_makes_room(read: Callable[..., Read], layout: Layout) -> None:
    read()
    kept = entries(layout)
    limit = sum(path.stat().st_size for path in kept) + 100
    for age, path in enumerate(kept):
        os.utime(path, ns=(age, age))
    one = ReplayQuery(MOCK, NOON, NOON + 1_000, frozenset(KEYS[:1]))
    assert read(limit, one).decoded == 2
    left = entries(layout)
    assert sum(path.stat().st_size for path in left) <= limit
    assert kept[-1] in left
    assert kept[0] not in left
    assert read(limit, one).decoded == 0


def test_a_run_over_more_than_fits_keeps_its_first_part(read: Callable[..., Read], layout: Layout) -> None:
    read()
    sizes = [path.stat().st_size for path in entries(layout)]
    shutil.rmtree(layout.state / REPLAY_CACHE)
    limit = sum(sizes) - 1
    assert read(limit).decoded == 4
    assert 0 < len(entries(layout)) < 4
    before = entries(layout)
    assert read(limit).decoded == 4 - len(before)
    assert entries(layout) == before


def test_nothing_is_kept_where_little_is_free_or_nothing_can_be_written(
    read: Callable[..., Read], layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = read().rows
    shutil.rmtree(layout.state / REPLAY_CACHE)
    free = shutil.disk_usage(layout.data_dir).free
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(free, 0, LIMIT))
        assert read() == Read(whole, 4)
    assert not entries(layout)
    shutil.rmtree(layout.state / REPLAY_CACHE)
    (layout.state / REPLAY_CACHE).write_text("a file where the folder should be")
    assert read() == Read(whole, 4)


def test_a_draft_that_cannot_be_finished_leaves_nothing(
    layout: Layout, read: Callable[..., Read], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(Path, "replace", refuse)
    assert read().decoded == 4
    assert not entries(layout)


def test_packed_rows_of_another_kind_are_refused() -> None:
    assert speedups is not None
    kind: Any = speedups.NativeRows
    empty = kind()
    with pytest.raises(ValueError, match="not there"):
        empty.pack(0, 0, array("i"))
    empty.sort()
    assert empty.pack(0, 0, array("i")) == b""
    assert empty.sums() == (0, 0)
    assert len(kind.map(b"", 0, 0, (0, 0), [], None)) == 0
    for wrong in ((bytes(56), 8, 1), (bytes(56), -8, 0), (bytes(56), 4, 0), (bytes(55), 0, 1), (b"", 0, -1)):
        with pytest.raises(ValueError, match="as many rows"):
            kind.map(*wrong, (0, 0), [], None)
    with pytest.raises(ValueError, match="as many rows"):
        kind.map(bytes(56), 0, 1, (0, 0), [0], ())
    with pytest.raises(ValueError, match="what was packed"):
        kind.map(bytes(56), 0, 1, (1, 0), [0], None)
    with pytest.raises(ValueError, match="not there"):
        kind.map(bytes(56), 0, 1, (0, 0), [], None)
    for number, error in ((-1, ValueError), (2**40, ValueError), ("one", TypeError)):
        with pytest.raises(error):
            kind.map(bytes(56), 0, 1, (0, 0), [number], None)


def test_rows_of_instruments_without_a_place_are_not_packed(layout: Layout) -> None:
    (rows, *_) = RowFiles(layout, [QUERY], lambda *_: 1).open_until(QUERY.end)
    for places in (array("i"), array("i", [0]), array("i", [0, -1])):
        with pytest.raises(ValueError, match="no place"):
            rows.pack(0, len(rows), places)
    assert len(rows.pack(0, len(rows), array("i", [0, 7]))) == 56 * len(rows)
