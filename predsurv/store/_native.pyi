from predsurv.core.ids import InstrumentKey
from predsurv.core.records import Record
from predsurv.store.wal.columns_codec import Columns

ABI_VERSION: int

def columns_of(records: list[Record], table: dict[InstrumentKey, int], /) -> Columns: ...
def level_arrays(counts: bytes, pairs: bytes, levels: int, /) -> list[tuple[bytes | None, bytes]]: ...
