from collections.abc import Iterator

from predsurv.collect.recording.instrument import RecordedInstrument
from predsurv.core.events import MarketEvent
from predsurv.core.ids import InstrumentKey
from predsurv.core.records import Record

ABI_VERSION: int

def fold_changes(
    events: list[MarketEvent],
    at: int,
    mark: int,
    hour_end: int,
    lines: dict[InstrumentKey, RecordedInstrument],
    out: list[Record],
    due: list[tuple[int, int, RecordedInstrument]],
    order: Iterator[int],
    interval: int,
    /,
) -> tuple[int, int]: ...
def show_due(
    due: list[tuple[int, int, RecordedInstrument]],
    mark: int,
    order: Iterator[int],
    levels: int,
    heartbeat: int,
    out: list[Record],
    /,
) -> None: ...
