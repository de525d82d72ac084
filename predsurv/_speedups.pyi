from collections.abc import Callable, Iterator, Sequence, Set
from typing import TypeAlias

from msgspec import Raw

from predsurv.collect.recording.instrument import RecordedInstrument
from predsurv.core.events import BookSnapshot, MarketEvent, Trade
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.core.level_changes import PackedEvent, PackedRecord, PythonLevelChanges
from predsurv.core.market import FeeSchedule, Market, PriceBand
from predsurv.core.num import Money
from predsurv.core.packed_book import PythonPackedBook
from predsurv.engine.fills.told_trades import PythonToldTrades
from predsurv.state import book
from predsurv.state.ladder import PythonLadder
from predsurv.store.wal.columns_codec import Columns
from predsurv.venues.kalshi.books import MarketBook
from predsurv.venues.polymarket.fast_decoder import Pending
from predsurv.venues.polymarket.gamma_row import GammaMarket

Buffer: TypeAlias = bytes | memoryview

class NativeLadder(PythonLadder): ...
class NativeBookCore(book.PythonBookCore): ...
class NativeLevelChanges(PythonLevelChanges): ...
class NativePackedBook(PythonPackedBook): ...
class NativeToldTrades(PythonToldTrades): ...

def fold_events(
    events: list[PackedEvent],
    at: int,
    watermark: int,
    hour_end: int,
    instruments: dict[InstrumentKey, RecordedInstrument],
    out: list[PackedRecord],
    due: list[tuple[int, int, RecordedInstrument]],
    sequence: Iterator[int],
    interval: int,
    levels: int,
    heartbeat: int,
    trusting: bool,
    /,
) -> tuple[int, int, int, int]: ...
def show_due(
    due: list[tuple[int, int, RecordedInstrument]],
    watermark: int,
    sequence: Iterator[int],
    levels: int,
    heartbeat: int,
    out: list[PackedRecord],
    /,
) -> None: ...
def count_of(items: Sequence[PackedEvent | PackedRecord], /) -> int: ...
def columns_of(records: list[PackedRecord], table: dict[InstrumentKey, int], /) -> Columns: ...
def plain_messages(data: bytes, pos: int, bytes_max: int, /) -> tuple[list[bytes], int, int]: ...
def level_arrays(counts: bytes, pairs: bytes, levels: int, /) -> list[tuple[bytes | None, bytes]]: ...
def mine_changes(
    begin: int,
    runs: tuple[Buffer, ...],
    visits: tuple[Buffer, ...],
    rows: tuple[Buffer, ...],
    /,
) -> tuple[tuple[bytes, ...], ...] | None: ...
def mine_books(
    begin: int,
    runs: tuple[Buffer, ...],
    visits: tuple[Buffer, ...],
    times: tuple[Buffer, ...],
    trusted: tuple[Buffer, ...],
    levels: tuple[Buffer, ...],
    carry: tuple[Buffer, ...],
    trades: tuple[Buffer, ...],
    /,
) -> tuple[tuple[bytes, ...], ...] | None: ...
def mine_outcomes(
    begin: int,
    rows: tuple[Buffer, ...],
    trusted: tuple[Buffer, ...],
    carry: tuple[Buffer, ...],
    trusted_carry: tuple[Buffer, ...],
    visits: tuple[Buffer, ...],
    terms: tuple[Buffer, ...],
    sets: tuple[Buffer, ...],
    prices: tuple[Buffer, ...],
    fees: tuple[Buffer, ...],
    /,
) -> tuple[bytes, ...] | None: ...

class NativeDeltaReader:
    def __init__(self, books: dict[str, MarketBook], last: dict[int, int], epoch: int, packed: bool, /) -> None: ...
    def read(self, frames: list[bytes], at: int, ts_recv: int, out: list[MarketEvent], /) -> int: ...

class NativeChangeReader:
    def __init__(
        self,
        live: dict[str, InstrumentKey],
        subscribed: dict[str, InstrumentKey],
        is_new: Callable[[Trade, str], bool],
        epoch: int,
        packed: bool,
        /,
    ) -> None: ...
    def read(
        self,
        frames: list[bytes],
        at: int,
        ts_recv: int,
        out: list[MarketEvent],
        pending: Pending | None,
        /,
    ) -> int: ...
    def book(self, frame: bytes, ts_recv: int, /) -> BookSnapshot | PythonPackedBook | None: ...
    def before(self) -> bytes | None: ...
    def remember(self, frame: bytes, /) -> bool: ...
    def forget(self) -> None: ...

class NativeGammaParser:
    def __init__(
        self,
        texts: Callable[[Raw], tuple[str, ...]],
        date: Callable[[str], int | None],
        fee: Callable[[GammaMarket, int], FeeSchedule | None],
        rules_hash: Callable[[GammaMarket], str],
        categories: Set[str],
        venue: VenueName,
        min_taker_buy: Money,
        version: str,
        /,
    ) -> None: ...
    def read(self, rows: list[GammaMarket | None], fetched_at: int, /) -> list[Market | None]: ...

class NativeLineWriter:
    def __init__(
        self,
        time: Callable[[int], str],
        fee: Callable[[FeeSchedule], bytes],
        bands: Callable[[tuple[PriceBand, ...]], bytes],
        binary: str,
        /,
    ) -> None: ...
    def line(self, market: Market, /) -> bytes | None: ...

def names_delay(data: bytes, /) -> bool: ...
