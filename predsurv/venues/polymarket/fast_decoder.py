"""The frequent messages, read for speed: price changes, and whole books.

Kept apart from ``decode``, which is patient, because here every instruction counts: nineteen frames in twenty
are price changes. There are two sets of readers that say the same: one in Python, and its compiled twin
(``csrc/``) where there was a C compiler at installation. Both take a message in its present form only and
leave every other to ``decode``.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, Protocol

from predsurv.core.events import BookDelta, Level, MarketEvent
from predsurv.core.ids import InstrumentKey, Side
from predsurv.core.native import usable
from predsurv.venues.polymarket import wire
from predsurv.venues.polymarket.hash_verifier import HashVerifier
from predsurv.venues.polymarket.shared_state import PolymarketSharedState

try:
    from predsurv.venues.polymarket import _native
except ImportError:  # there was no compiler
    _native = None  # type: ignore[assignment]

native = usable(_native)


_CHANGE_TAIL: Final = wire.CHANGE_TAIL
_MS: Final = 1_000_000
_EARLIEST: Final = 1_420_070_400_000  # 2015, in ms as the venue counts
_LATEST: Final = 4_102_444_800_000  # 2100

Levels = tuple[Level, ...]
PlainBook = tuple[str, Levels, Levels, int]
"""Token, bids and asks (best first, none empty), and the venue's ms."""


class ChangeReader(Protocol):
    """Reads the price changes of one connection."""

    def read(
        self, frames: list[bytes], at: int, ts_recv: int, out: list[MarketEvent], noted: list[wire.Noted] | None, /
    ) -> int:
        """Append the deltas of ``frames`` from number ``at`` on, until one is no price change in its present form.

        Return the number of that one, or how many there are. Deltas of tokens without a book are left out, and
        a message that says what the one before said, perhaps the other way round, says nothing. What is read
        goes into ``noted`` when that is a list.
        """
        ...

    def forget(self) -> None:
        """Take it that what follows repeats nothing."""
        ...


class ChangeReaders(NamedTuple):
    """A set of readers: ``changes`` makes one from the tokens with a book and the epoch; ``book`` may know a book.

    ``raw``: what is noted are the frames themselves.
    """

    changes: Callable[[dict[str, InstrumentKey], int, PolymarketSharedState, HashVerifier], ChangeReader]
    book: Callable[[bytes], PlainBook | None]
    raw: bool


class PythonChangeReader:
    """See ``ChangeReader``. ``live`` is looked into at every frame; ``witness`` says how much of it is wanted."""

    def __init__(
        self, live: Mapping[str, InstrumentKey], epoch: int, memory: PolymarketSharedState, witness: HashVerifier
    ) -> None:
        self._live = live
        self._epoch = epoch
        self._prices = memory.prices
        self._sizes = memory.sizes
        self._witness = witness
        self._before: wire.PriceChange | None = None

    def read(
        self, frames: list[bytes], at: int, ts_recv: int, out: list[MarketEvent], noted: list[wire.Noted] | None, /
    ) -> int:
        """Read as the protocol says."""
        live, prices, sizes, epoch, before = self._live, self._prices, self._sizes, self._epoch, self._before
        read = _decoder(wanted=noted is not None, blind=self._witness.blind)
        for number in range(at, len(frames)):
            frame = frames[number]
            if not frame.endswith(_CHANGE_TAIL):
                break
            start = len(out)
            try:
                message = read(frame)
                stamp = message.timestamp
                if before is not None and before.timestamp == stamp and _repeats(message, before):
                    continue
                # Written out here as well as in the codec: the call alone was a tenth of all decoding.
                ts_venue = stamp * _MS if _EARLIEST < stamp < _LATEST else None
                for change in message.price_changes:
                    key = live.get(change.asset_id)
                    if key is not None:
                        side: Side = "bid" if change.side == "BUY" else "ask"
                        price, size = prices[change.price], sizes[change.size]
                        out.append(BookDelta(key, ts_recv, ts_venue, epoch, None, side, price, size))
            except (ValueError, RecursionError):
                del out[start:]
                break
            if noted is not None:
                noted.append(message)
            before = message
        else:
            number = len(frames)
        self._before = before
        return number

    def follow(self, frame: bytes | None) -> None:
        """Take ``frame``, a price change, for the message before; None for nothing."""
        self._before = None if frame is None else wire.read_change(frame)

    def forget(self) -> None:
        """Take it that what follows repeats nothing."""
        self._before = None


class CompiledChangeReader:
    """See ``ChangeReader``. What the compiled twin refuses, Python reads, each knowing what the other read last."""

    def __init__(self, twin: "_native.NativeChangeReader", python: PythonChangeReader) -> None:
        self._native = twin
        self._python = python
        self._unusual = False

    def read(
        self, frames: list[bytes], at: int, ts_recv: int, out: list[MarketEvent], noted: list[wire.Noted] | None, /
    ) -> int:
        """Read as the protocol says."""
        native, python = self._native, self._python
        while True:
            if not self._unusual:
                at = native.read(frames, at, ts_recv, out, noted)
            if at == len(frames) or not frames[at].endswith(_CHANGE_TAIL):
                return at
            if not self._unusual:
                python.follow(native.before())
            if not python.read(frames[at : at + 1], 0, ts_recv, out, noted):
                return at
            self._unusual = not native.remember(frames[at])
            at += 1

    def forget(self) -> None:
        """Take it that what follows repeats nothing."""
        self._native.forget()
        self._python.forget()
        self._unusual = False


def _decoder(*, wanted: bool, blind: bool) -> Callable[[bytes], wire.PriceChange]:
    if not wanted:
        return wire.read_bare_change
    return wire.read_quoted_change if blind else wire.read_change


def venue_time(stamp_ms: int) -> int | None:
    """Return the venue's ms as ns UTC, None when they make no sense."""
    return stamp_ms * _MS if _EARLIEST < stamp_ms < _LATEST else None


def _repeats(message: wire.PriceChange, before: wire.PriceChange) -> bool:
    """Return whether ``message`` says again what ``before`` said, perhaps the other way round."""
    if len(message.price_changes) != len(before.price_changes):
        return False
    said, again = (
        sorted((c.asset_id, c.side, c.price, c.size) for c in each.price_changes) for each in (before, message)
    )
    return said == again


PYTHON: Final = ChangeReaders(PythonChangeReader, lambda _frame: None, raw=False)


def _compiled() -> ChangeReaders | None:
    twin = native
    if twin is None:
        return None

    def reader(
        live: dict[str, InstrumentKey], epoch: int, memory: PolymarketSharedState, witness: HashVerifier
    ) -> ChangeReader:
        python = PythonChangeReader(live, epoch, memory, witness)
        return CompiledChangeReader(twin.NativeChangeReader(live, epoch), python)

    return ChangeReaders(reader, twin.read_book, raw=True)


COMPILED: Final = _compiled()
BEST: Final = COMPILED or PYTHON
