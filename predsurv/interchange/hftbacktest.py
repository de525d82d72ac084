"""A recording as events of hftbacktest 2: a ``.npz`` of one array ``data`` for each instrument.

Layout: hftbacktest's own ``event_dtype`` (ev, exch_ts, local_ts, px, qty, order_id, ival, fval; 64 bytes, little
endian) and flags of version 2.4. Written here without numpy, which nothing else needs.

- A book that becomes unknown is cleared on both sides: nothing is quoted or filled in time that was not observed.
- A clear of the bids names the price 0, one of the asks the price 1: it takes away everything up to there.
- Both times ascend, as its two sides expect: the venue's time where it told one, never before the last event's, never
  after the receipt.
- A trade has its taker's side; one told on the other outcome of the market, at p, is one at 1 - p with the other side.
"""

import struct
import zipfile
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from predsurv.core.events import BookDelta, BookSnapshot, Gap, MarketEvent, Trade
from predsurv.core.ids import InstrumentKey
from predsurv.core.num import MICROS, complement
from predsurv.store.files import replace

_DEPTH, _TRADE, _CLEAR, _SNAPSHOT = 1, 2, 3, 4
_BOTH_SIDES: Final = 1 << 31 | 1 << 30  # processed by the exchange and by the strategy's side
_BUY, _SELL = 1 << 29, 1 << 28
_SIDE: Final[dict[str | None, int]] = {"bid": _BUY, "ask": _SELL, "buy": _BUY, "sell": _SELL, None: 0}
_FIELDS: Final = 8
_DTYPE: Final = (
    "[('ev', '<u8'), ('exch_ts', '<i8'), ('local_ts', '<i8'), ('px', '<f8'), ('qty', '<f8'), "
    "('order_id', '<u8'), ('ival', '<i8'), ('fval', '<f8')]"
)


class EventArray:
    """The events of the instrument ``key`` in the order of their receipt, as columns."""

    def __init__(self, key: InstrumentKey) -> None:
        self._key = key
        self._ev, self._exch, self._local = array("Q"), array("q"), array("q")
        self._px, self._qty = array("d"), array("d")
        self._told = 0

    @property
    def rows(self) -> int:
        """The number of events."""
        return len(self._ev)

    def add(self, event: MarketEvent) -> None:
        """Append an event of the instrument; those that hftbacktest has no word for are left out."""
        match event:
            case BookSnapshot():
                self._clear(event.ts_recv, event.ts_venue)
                for side, levels in (("bid", event.bids), ("ask", event.asks)):
                    for price, size in levels:
                        self._row(_SNAPSHOT | _SIDE[side], event.ts_recv, event.ts_venue, price, size)
            case BookDelta():
                self._row(_DEPTH | _SIDE[event.side], event.ts_recv, event.ts_venue, event.price, event.size)
            case Trade():
                own = event.key == self._key
                taker = _SIDE[event.taker_side]
                turned = taker if own or not taker else taker ^ (_BUY | _SELL)
                price = event.price if own else complement(event.price)
                self._row(_TRADE | turned, event.ts_recv, event.ts_venue, price, event.size)
            case Gap():
                self._clear(event.ts_recv, None)
            case _:
                pass

    def write(self, path: Path) -> None:
        """Write the array ``data`` to ``path``, whole or not at all; raises OSError."""
        header = f"{{'descr': {_DTYPE}, 'fortran_order': False, 'shape': ({self.rows},), }}"
        padded = header.ljust(-(len(header) + 11) % 64 + len(header)) + "\n"
        draft = path.with_name(f"{path.name}.draft")
        try:
            with (
                zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
                archive.open("data.npy", "w", force_zip64=True) as data,
            ):
                data.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded.encode())
                data.write(self._interleaved())
            replace(draft, path)
        finally:
            draft.unlink(missing_ok=True)

    def _interleaved(self) -> bytearray:
        content = bytearray(8 * _FIELDS * self.rows)
        columns: tuple[array[Any], ...] = (self._ev, self._exch, self._local, self._px, self._qty)
        for place, column in enumerate(columns):
            fields: Any = memoryview(content).cast(column.typecode)  # type: ignore[arg-type]
            fields[place::_FIELDS] = memoryview(column)
        return content

    def _clear(self, received: int, told: int | None) -> None:
        self._row(_CLEAR | _BUY, received, told, 0, 0)
        self._row(_CLEAR | _SELL, received, told, MICROS, 0)

    def _row(self, event: int, received: int, told: int | None, price: int, size: int) -> None:
        received = max(received, self._local[-1] if self._local else received)
        self._told = min(max(received if told is None else told, self._told), received)
        self._ev.append(_BOTH_SIDES | event)
        self._exch.append(self._told)
        self._local.append(received)
        self._px.append(price / MICROS)
        self._qty.append(size / MICROS)


def event_array(key: InstrumentKey, events: Iterable[MarketEvent]) -> EventArray:
    """Return the ``events`` of the instrument ``key`` and its market as one array."""
    made = EventArray(key)
    for event in events:
        made.add(event)
    return made
