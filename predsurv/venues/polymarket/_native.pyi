from predsurv.core.events import MarketEvent
from predsurv.core.ids import InstrumentKey
from predsurv.venues.polymarket.fast_decoder import Pending, PlainBook

ABI_VERSION: int

class NativeChangeReader:
    def __init__(self, live: dict[str, InstrumentKey], epoch: int, /) -> None: ...
    def read(
        self,
        frames: list[bytes],
        at: int,
        ts_recv: int,
        out: list[MarketEvent],
        pending: Pending | None,
        /,
    ) -> int: ...
    def before(self) -> bytes | None: ...
    def remember(self, frame: bytes, /) -> bool: ...
    def forget(self) -> None: ...

def read_book(frame: bytes, /) -> PlainBook | None: ...
