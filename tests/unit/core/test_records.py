"""The log's union decodes whatever it encoded."""

import msgspec

from predsurv.core.events import Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId
from predsurv.core.ids import VenueName as V
from predsurv.core.num import Price, Size
from predsurv.core.records import BookTop, Coverage, Record, pack_levels

KEY = InstrumentKey(V("mock"), MarketId("m"), InstrumentId("y"))


def test_a_mixed_batch_round_trips() -> None:
    batch: list[Record] = [
        BookTop(KEY, 2, None, pack_levels(((Price(1), Size(2)),)), b"", trusted=True),
        Coverage(KEY, 1, 2, "gap", "seq_gap", 3, 500_000),
        Trade(KEY, 2, 1, Price(1), Size(2), "buy", None),
    ]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(batch), type=list[Record]) == batch
