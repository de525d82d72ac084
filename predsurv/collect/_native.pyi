from collections.abc import Iterator

from predsurv.collect.recording.instrument import RecordedInstrument
from predsurv.core.events import MarketEvent
from predsurv.core.ids import InstrumentKey
from predsurv.core.records import Record

ABI_VERSION: int

def fold_changes(
    events: list[MarketEvent],
    at: int,
    watermark: int,
    hour_end: int,
    instruments: dict[InstrumentKey, RecordedInstrument],
    out: list[Record],
    due: list[tuple[int, int, RecordedInstrument]],
    sequence: Iterator[int],
    interval: int,
    /,
) -> tuple[int, int]: ...
def show_due(
    due: list[tuple[int, int, RecordedInstrument]],
    watermark: int,
    sequence: Iterator[int],
    levels: int,
    heartbeat: int,
    out: list[Record],
    /,
) -> None: ...
