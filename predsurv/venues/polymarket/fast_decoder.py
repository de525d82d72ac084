"""Fast readers of the frequent messages: price changes, nineteen frames in twenty, trades and snapshots.

There are two sets of readers with the same results: one in Python, and one in C (``csrc/``) where
there was a C compiler at installation. Both take a message in its present form only and leave every
other to ``decoder``.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from predsurv.core.events import BookDelta, BookSnapshot, MarketEvent
from predsurv.core.ids import Side
from predsurv.core.native import speedups
from predsurv.core.packed_book import PackedBook
from predsurv.venues.parsing import EARLIEST_MS, LATEST_MS
from predsurv.venues.polymarket import wire
from predsurv.venues.polymarket.hash_verifier import HashVerifier
from predsurv.venues.polymarket.shared_state import PolymarketSharedState
from predsurv.venues.polymarket.subscriptions import TokenSubscriptions

if TYPE_CHECKING:
    from predsurv._speedups import NativeChangeReader

_CHANGE_TAIL: Final = wire.CHANGE_TAIL
_MS: Final = 1_000_000

Pending = list[wire.BookMessage]


class ChangeReader(Protocol):
    """Reads the price changes of one connection, and perhaps its trades and books."""

    def read(
        self, frames: list[bytes], at: int, ts_recv: int, out: list[MarketEvent], pending: Pending | None, /
    ) -> int:
        """Append the deltas of ``frames`` from number ``at`` on, up to the first that it does not read.

        That is one that is no usual price change, nor, where the reader can, the usual trade of a wanted token, nor
        the usual book of one with a book that states no tick size. Deltas come as events, or put together where
        ``PolymarketSharedState.packed`` was set and the reader can; books are packed then.

        Return the number of that one, or how many frames there are. Deltas of tokens without a book are left
        out, and so are a trade that was told before and a change that repeats the message before it, in whatever
        order. What is read is appended to ``pending`` when that is a list.
        """
        ...

    def book(self, frame: bytes, ts_recv: int, /) -> BookSnapshot | PackedBook | None:
        """Return the book of a wanted token; None for other messages, and for one that is not in its present form."""
        ...

    def forget(self) -> None:
        """Forget the previous message: the next one is no repetition."""
        ...


class ChangeReaders(NamedTuple):
    """A set of readers.

    ``changes`` makes the reader of a connection from what it is subscribed to, and the epoch. ``raw``: frames are
    queued for verification as they came.
    """

    changes: Callable[[TokenSubscriptions, int, PolymarketSharedState, HashVerifier], ChangeReader]
    raw: bool


class PythonChangeReader:
    """See ``ChangeReader``; ``subscriptions`` and ``verifier`` change under it."""

    def __init__(
        self, subscriptions: TokenSubscriptions, epoch: int, shared: PolymarketSharedState, verifier: HashVerifier
    ) -> None:
        self._live = subscriptions.live
        self._epoch = epoch
        self._prices = shared.prices
        self._sizes = shared.sizes
        self._verifier = verifier
        self._previous: wire.PriceChange[wire.WireChange] | None = None

    def read(
        self, frames: list[bytes], at: int, ts_recv: int, out: list[MarketEvent], pending: Pending | None, /
    ) -> int:
        """Read as the protocol says."""
        live, prices, sizes, epoch, previous = self._live, self._prices, self._sizes, self._epoch, self._previous
        read = _decoder(hashes=pending is not None, quotes=self._verifier.suspects.need_quotes)
        for number in range(at, len(frames)):
            frame = frames[number]
            if not frame.endswith(_CHANGE_TAIL):
                break
            start = len(out)
            try:
                message = read(frame)
                stamp = message.timestamp
                if previous is not None and previous.timestamp == stamp and _repeats(message, previous):
                    continue
                # The codec has the same loop for other forms; a shared function costs a tenth of all decoding.
                ts_venue = stamp * _MS if EARLIEST_MS < stamp < LATEST_MS else None
                for change in message.price_changes:
                    key = live.get(change.asset_id)
                    if key is not None:
                        side: Side = "bid" if change.side == "BUY" else "ask"
                        price, size = prices[change.price], sizes[change.size]
                        out.append(BookDelta(key, ts_recv, ts_venue, epoch, None, side, price, size))
            except (ValueError, RecursionError):
                del out[start:]
                break
            if pending is not None:
                pending.append(message)
            previous = message
        else:
            number = len(frames)
        self._previous = previous
        return number

    def book(self, _frame: bytes, _ts_recv: int, /) -> None:
        """Leave all books to the decoder: nothing in Python is faster than that."""

    def set_previous(self, frame: bytes | None) -> None:
        """Take ``frame``, a price change, for the previous message; None for none."""
        self._previous = None if frame is None else wire.read_change(frame)

    def forget(self) -> None:
        """Forget the previous message: the next one is no repetition."""
        self._previous = None


class CompiledChangeReader:
    """See ``ChangeReader``. What C refuses, Python reads; either knows what the other read last."""

    def __init__(self, native_reader: "NativeChangeReader", python: PythonChangeReader) -> None:
        self._native = native_reader
        self.book = native_reader.book
        self._python = python
        self._unusual = False

    def read(
        self, frames: list[bytes], at: int, ts_recv: int, out: list[MarketEvent], pending: Pending | None, /
    ) -> int:
        """Read as the protocol says."""
        native, python = self._native, self._python
        while True:
            if not self._unusual:
                at = native.read(frames, at, ts_recv, out, pending)
            if at == len(frames) or not frames[at].endswith(_CHANGE_TAIL):
                return at
            if not self._unusual:
                python.set_previous(native.before())
            if not python.read(frames[at : at + 1], 0, ts_recv, out, pending):
                return at
            self._unusual = not native.remember(frames[at])
            at += 1

    def forget(self) -> None:
        """Forget the previous message: the next one is no repetition."""
        self._native.forget()
        self._python.forget()
        self._unusual = False


def _decoder(*, hashes: bool, quotes: bool) -> Callable[[bytes], wire.PriceChange[wire.WireChange]]:
    """Return the decoder that leaves out what is not needed."""
    if not hashes:
        return wire.read_bare_change
    return wire.read_quoted_change if quotes else wire.read_change


def _repeats(message: wire.PriceChange[wire.WireChange], previous: wire.PriceChange[wire.WireChange]) -> bool:
    """Return whether ``message`` repeats ``previous``, in whatever order."""
    if len(message.price_changes) != len(previous.price_changes):
        return False
    first, second = (
        sorted((c.asset_id, c.side, c.price, c.size) for c in each.price_changes) for each in (previous, message)
    )
    return first == second


PYTHON: Final = ChangeReaders(PythonChangeReader, raw=False)


def _compiled() -> ChangeReaders | None:
    compiled = speedups
    if compiled is None:
        return None

    def reader(
        subscriptions: TokenSubscriptions, epoch: int, shared: PolymarketSharedState, verifier: HashVerifier
    ) -> ChangeReader:
        python, is_new = PythonChangeReader(subscriptions, epoch, shared, verifier), shared.told_trades.add
        live, subscribed = subscriptions.live, subscriptions.subscribed
        native = compiled.NativeChangeReader(live, subscribed, is_new, epoch, shared.packed)
        return CompiledChangeReader(native, python)

    return ChangeReaders(reader, raw=True)


COMPILED: Final = _compiled()
BEST: Final = COMPILED or PYTHON
