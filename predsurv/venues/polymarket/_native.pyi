from predsurv.core.events import MarketEvent
from predsurv.core.ids import InstrumentKey
from predsurv.venues.polymarket import wire
from predsurv.venues.polymarket.changes import PlainBook

EDITION: int

class ChangeReader:
    def __init__(self, live: dict[str, InstrumentKey], epoch: int, /) -> None: ...
    def read(
        self, frames: list[bytes], at: int, ts_recv: int, out: list[MarketEvent], noted: list[wire.Noted] | None, /
    ) -> int: ...
    def forget(self) -> None: ...

def read_book(frame: bytes, /) -> PlainBook | None: ...
