"""Battery: single bits flipped in sealed files and in log segments, one at a time.

What is read back is compared value by value with what was there before.
"""

import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from predsurv.core.errors import PredsurvError
from predsurv.core.events import BookDelta, BookSnapshot, MarketEvent, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, TradeId, VenueName
from predsurv.core.num import Price, Size
from predsurv.core.records import BookTop, Coverage, Record, pack_levels
from predsurv.net.clock import ManualClock
from predsurv.store.layout import FOLDERS, NS_HOUR, Layout, data_files
from predsurv.store.read.replay import replay
from predsurv.store.read.verify import check_files
from predsurv.store.read.verify_digests import split_damaged
from predsurv.store.seal.seal import seal_segment
from predsurv.store.wal.log import WriteAheadLog
from predsurv.store.wal.segment import segment_files

MOCK: Final = VenueName("mock")
NOON: Final = 1_800_014_400_000_000_000
CLOCK: Final = ManualClock(NOON + 30 * NS_HOUR)
KEYS: Final = [InstrumentKey(MOCK, MarketId(f"m{n}"), InstrumentId(f"i{n}")) for n in range(20)]
NOTES: Final = {f"open:mock:{number:02d}": bytes(range(number, number + 40)) for number in range(8)}
WRONG: Final = "read wrong by a Parquet reader that takes the footer on trust"
COMMITS: Final = 12
_CLAIM: Final = "'covered', 'live'"
_LOST: Final = "'gap', 'crash'"
"""What becomes of a claim that was in a damaged segment together with the rows that it speaks of."""

CHANGES: Final = 60
"""In each commit: few, so that headers and indices are a good part of what can be hit."""


class Kind(Struct, frozen=True):
    """What a battery of flips is about: how many, and what became of them."""

    name: str
    outcomes: Counter[str]
    found: list[str]

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(self.outcomes.items()))
        return f"{self.name}: {sum(self.outcomes.values())} ({counts})"


def flips(folder: Path, rounds: int, seed: int) -> list[str]:
    """Flip ``rounds`` bits of each kind of file; return the findings, and print the figures."""
    rng = random.Random(seed)
    kinds = [
        _files(folder / "files", rounds, rng),
        _segments(folder / "closed", rounds, rng, closed=True),
        _segments(folder / "open", rounds, rng, closed=False),
    ]
    found = [finding for kind in kinds for finding in kind.found]
    print(f"flips: {'; '.join(map(str, kinds))}; findings: {len(found)}")
    return found


def records(turn: int) -> list[Record]:
    """Return what commit ``turn`` holds: something of every kind, all numbers different."""
    made: list[Record] = []
    at = NOON + turn * 1_000_000
    levels = tuple((Price(price), Size(price + turn)) for price in range(900_000, 0, -150_000))
    for number in range(CHANGES):
        serial = turn * CHANGES + number
        price = Price(serial * 7919 % 1_000_000)
        made.append(BookDelta(KEYS[serial % 20], at + number, at, 1, serial, "bid", price, Size(serial)))
    end = at + CHANGES
    made.append(BookSnapshot(KEYS[turn % 20], end, None, 1, None, levels, ()))
    made.append(BookTop(KEYS[turn % 20], end, None, pack_levels(levels), b"", trusted=True))
    made.append(Trade(KEYS[turn % 20], end, at, Price(500_000), Size(turn), "buy", TradeId(f"t{turn}")))
    made.append(Coverage(KEYS[turn % 20], at, end, "covered", "live", 1))
    return made


def recorded(layout: Layout, *, closed: bool) -> Path:
    """Write a log; return its only segment, as a run leaves it that closed it or died."""
    log = WriteAheadLog(layout.state, "c0", CLOCK)
    for turn in range(COMMITS):
        log.append(records(turn), NOTES if turn % 4 == 0 else {})
        log.flush()
    path = log.path
    if closed:
        log.close()
        return path
    kept = {file: file.read_bytes() for file in segment_files(path)}
    log.close()
    for file, content in kept.items():
        file.write_bytes(content)
    return path


def _flip(content: bytes, bit: int) -> bytes:
    spoilt = bytearray(content)
    spoilt[bit // 8] ^= 1 << bit % 8
    return bytes(spoilt)


def _files(folder: Path, rounds: int, rng: random.Random) -> Kind:
    layout = Layout(folder)
    seal_segment(recorded(layout, closed=True), layout, CLOCK)
    paths = [path for dataset in FOLDERS for path in data_files(layout, dataset)]
    whole = {path: path.read_bytes() for path in paths}
    tables = {path: _table(path) for path in paths}
    names = {path: table.column_names for path, table in tables.items()}
    events = read(layout)
    kind = Kind("sealed files, every flip seen by verify and mine", Counter(), [])
    for _ in range(rounds):
        path = rng.choices(paths, [len(whole[each]) for each in paths])[0]
        bit = rng.randrange(8 * len(whole[path]))
        path.write_bytes(_flip(whole[path], bit))
        if not list(check_files(layout)):
            kind.found.append(f"verify does not see bit {bit} of {path}")
        if split_damaged(layout, paths) != ([each for each in paths if each != path], [path]):
            kind.found.append(f"mine would read bit {bit} of {path}")
        plain = _outcome(lambda path=path: _table(path).select(names[path]).equals(tables[path]))  # type: ignore[misc]
        ours = _outcome(lambda: read(layout) == events)
        kind.outcomes[plain] += 1
        kind.outcomes["(READ WRONG by replay)"] += ours == WRONG
        if ours == WRONG:
            kind.found.append(f"bit {bit} of {path} ({len(whole[path])} bytes) is replayed wrong")
        path.write_bytes(whole[path])
    return kind


def _outcome(right: Callable[[], bool]) -> str:
    try:
        return "without effect" if right() else WRONG
    except (PredsurvError, OSError, ValueError, KeyError, pa.ArrowException):
        return "refused by a Parquet reader"


def _table(path: Path) -> Any:
    return pq.read_table(path, partitioning=None, page_checksum_verification=True)


def read(layout: Layout) -> list[MarketEvent]:
    """Return everything that a reader gets."""
    return list(replay(layout.data_dir, MOCK, NOON, NOON + NS_HOUR))


def _segments(folder: Path, rounds: int, rng: random.Random, *, closed: bool) -> Kind:
    layout = Layout(folder / "whole")
    path = recorded(layout, closed=closed)
    whole = {file.name: file.read_bytes() for file in segment_files(path)}
    seal_segment(path, layout, CLOCK)
    truth = _rows(layout)
    kind = Kind("closed segments" if closed else "open segments", Counter(), [])
    for _ in range(rounds):
        name = rng.choices(list(whole), [len(content) for content in whole.values()])[0]
        bit = rng.randrange(8 * len(whole[name]))
        again = Layout(folder / "again")
        again.wal.mkdir(parents=True)
        for each, content in whole.items():
            (again.wal / each).write_bytes(_flip(content, bit) if each == name else content)
        outcome = _sealed(again, again.wal / path.name, truth)
        kind.outcomes[outcome] += 1
        if outcome.isupper():
            kind.found.append(f"bit {bit} of {name} ({len(whole[name])} bytes): {outcome}")
        shutil.rmtree(again.data_dir)
    return kind


def _sealed(layout: Layout, path: Path, truth: Counter[str]) -> str:
    """Seal a spoilt segment; return what became of it, in capitals what must not."""
    report = seal_segment(path, layout, CLOCK)
    rows = _rows(layout)
    told = bool(report.damaged) or report.torn > 0
    taken_back = Counter({row.replace(_CLAIM, _LOST): count for row, count in truth.items() if _CLAIM in row})
    strange = rows - truth
    if strange - taken_back if told else strange:
        return "WRONG ROWS, TOLD" if told else "WRONG ROWS"
    if list(check_files(layout)):
        return "SEALED WRONG"
    if truth - rows:
        return "reported" if told else "LOST SILENTLY"
    return "reported, nothing lost" if told else "without effect"


def _rows(layout: Layout) -> Counter[str]:
    """Return every row of every dataset, as text, without what says which file it is from."""
    return Counter(row for dataset in FOLDERS for path in data_files(layout, dataset) for row in _texts(path))


def _texts(path: Path) -> Iterator[str]:
    table = _table(path)
    columns = [column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column for column in table.columns]
    for row in zip(*(column.to_pylist() for column in columns), strict=True):
        yield f"{path.name.partition('_')[0]} {row!r}"
