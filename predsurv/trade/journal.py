"""The order journal: an append-only file from which the account is restored.

An order is on disk before its request leaves, and a damaged journal is refused, never repaired: one lost or doubled
entry is money.
"""

import os
import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final
from zlib import crc32

import msgspec
from msgspec import Struct, field

from predsurv.core.errors import IntegrityError, TransientError, disk_refused
from predsurv.core.events import (
    AccountEvent,
    Fill,
    FillFailed,
    LevelConsumed,
    MarketResolved,
    RebatePaid,
)
from predsurv.core.ids import ClientOrderId, InstrumentKey, OrderId, Side, StrategyName, VenueName
from predsurv.core.num import ZERO_MONEY, Money, Price
from predsurv.core.orders import Approved, PlaceOrder
from predsurv.core.reconciliation import Correction
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.account.rebates import RebateAccruals
from predsurv.engine.risk.gate import GateDecision
from predsurv.engine.risk.state import MINUTE
from predsurv.engine.step import EngineNote
from predsurv.trade.journal_file import VERSION, LogSync, connect_journal, create_journal, unreadable
from predsurv.trade.journal_lock import lock

_PRIMARY: Final = 0xFF  # of an extended error code of SQLite
_UNREADABLE: Final = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM})
"""Errors of the place, not of the file: it is as it was."""

PENDING_MAX: Final = 10_000
"""Most entries buffered; at this number they are flushed."""
MOCK_MODE: Final = "mock"
"""The mode of runs on the mock venue, whose exchange starts anew with every run."""


class RunStarted(Struct, frozen=True, array_like=True, tag="started"):
    """A run began at ``ts`` with these strategies; ``cash`` is for venues that had none before."""

    ts: int
    mode: str
    run: str
    strategies: tuple[StrategyName, ...]
    cash: tuple[tuple[VenueName, Money], ...]


class CommandSent(Struct, frozen=True, array_like=True, tag="sent"):
    """A command that is about to be sent."""

    decision: GateDecision


class AccountUpdated(Struct, frozen=True, array_like=True, tag="answered"):
    """An event of a broker that changed the account."""

    event: AccountEvent


class MarketSettled(Struct, frozen=True, array_like=True, tag="settled"):
    """A market in which we traded has resolved."""

    event: MarketResolved


class EngineNoted(Struct, frozen=True, array_like=True, tag="noted"):
    """Trading was halted, limited or resumed, or a UTC day began."""

    note: EngineNote


class LiquidityTaken(Struct, frozen=True, array_like=True, tag="taken"):
    """What our orders have consumed of a level of a simulated venue, or that it is gone."""

    event: LevelConsumed


class RebateBooked(Struct, frozen=True, array_like=True, tag="rebate"):
    """A venue paid something back for what rested and traded on a day."""

    event: RebatePaid


class OrderNamed(Struct, frozen=True, array_like=True, tag="named"):
    """An order that is about to be sent has this id at its venue: what it can be asked for, whatever its answer."""

    client_order_id: ClientOrderId
    order_id: OrderId


class AccountCorrected(Struct, frozen=True, array_like=True, tag="corrected"):
    """A comparison with the venue found a difference: the venue is right."""

    event: Correction


Entry = (
    RunStarted
    | CommandSent
    | OrderNamed
    | AccountUpdated
    | AccountCorrected
    | MarketSettled
    | EngineNoted
    | LiquidityTaken
    | RebateBooked
)

_DECODER: Final = msgspec.msgpack.Decoder(Entry)
_ENCODER: Final = msgspec.msgpack.Encoder()


def encoded(entry: Entry) -> bytes:
    """Return an entry as it stands in the file."""
    return _ENCODER.encode(entry)


class JournalPosition(Struct, frozen=True):
    """A place in a journal: the number of ``entries`` before it, and the chained checksum of the last of them."""

    entries: int
    checksum: int


class OrderJournal:
    """The journal file at ``path``, locked against other writers unless ``readonly``.

    ``durable`` False never syncs to disk, ``fresh`` replaces an existing journal by an empty one. Each
    entry carries a checksum chained to the one before it, so that a changed, lost or moved entry is
    detected. Raises IntegrityError for a file that is damaged or of a newer version, SafetyError for one in use.
    """

    def __init__(self, path: Path, *, durable: bool = True, readonly: bool = False, fresh: bool = False) -> None:
        self._path = path
        self._pending: list[Entry] = []
        self._seq = self._chain = 0
        self._log = LogSync(path) if durable and not readonly else None
        self._lock = None if readonly else lock(path)
        try:
            if not readonly and (fresh or not path.exists()):
                create_journal(path)
        except TransientError:
            self._unlock()
            raise
        try:
            self._db = connect_journal(path, durable=durable, readonly=readonly)
        except sqlite3.OperationalError as error:
            self._unlock()
            raise unreadable(path, error) from None
        try:
            self._check()
        except BaseException:
            self._db.close()
            self._unlock()
            raise

    def append(self, entry: Entry) -> None:
        """Buffer an entry."""
        self._pending.append(entry)
        if len(self._pending) >= PENDING_MAX:
            self.flush()

    def flush(self) -> None:
        """Write the buffered entries, all or none: from now on they survive the end of this process.

        Raises TransientError when the disk refuses.
        """
        if not self._pending:
            return
        rows = []
        for entry in self._pending:
            body = encoded(entry)
            self._seq += 1
            self._chain = crc32(body, self._chain)
            rows.append((self._seq, self._chain, body))
        self._pending.clear()
        try:
            with self._db:
                self._db.executemany("INSERT INTO entries VALUES (?, ?, ?)", rows)
        except sqlite3.OperationalError as error:
            raise disk_refused(f"cannot write {self._path}", error) from error

    def sync(self) -> None:
        """Return when what was flushed before would survive a power cut, too; may be called in another thread.

        Raises TransientError when the disk refuses.
        """
        if self._log is None:
            return
        try:
            self._log.sync()
        except OSError as error:
            raise disk_refused(f"cannot sync {self._path}", error) from error

    def entries(self) -> Iterator[Entry]:
        """Yield every entry in order, buffered ones included; raises IntegrityError for one that cannot be decoded."""
        for body in self._rows():
            try:
                yield _DECODER.decode(body)
            except msgspec.MsgspecError as error:
                raise self._damaged(f"an entry cannot be read: {error}") from None
        yield from self._pending

    def position(self) -> "JournalPosition":
        """Return how many entries there are, buffered ones left out, and the checksum of the last."""
        return JournalPosition(self._seq, self._chain)

    def position_at(self, entries: int) -> "JournalPosition | None":
        """Return the position after so many entries, None where there are fewer."""
        if not entries:
            return JournalPosition(0, 0)
        row = self._db.execute("SELECT seq, chain FROM entries WHERE seq = ?", (entries,)).fetchone()
        return None if row is None else JournalPosition(*row)

    def close(self) -> None:
        """Flush, sync and close; safe to call twice."""
        try:
            self.flush()  # nothing is buffered the second time
            self.sync()
        finally:
            if self._log is not None:
                self._log.close()
            self._db.close()
            self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _rows(self) -> Iterator[bytes]:
        self._seq = self._chain = 0
        for seq, chain, body in self._db.execute("SELECT seq, chain, body FROM entries ORDER BY seq"):
            self._seq += 1
            self._chain = crc32(body or b"", self._chain)
            if body is None or (seq, chain) != (self._seq, self._chain):
                raise self._damaged(f"entry {self._seq} does not match its checksum")
            yield body

    def _check(self) -> None:
        """Verify version and checksums; raises IntegrityError."""
        try:
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version not in (0, VERSION):
                raise IntegrityError(
                    f"{self._path}: journal version {version} cannot be read, this program knows {VERSION}; "
                    "use the program that wrote it"
                )
            for _ in self._rows():
                pass
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & _PRIMARY in _UNREADABLE:
                raise unreadable(self._path, error) from None
            raise self._damaged(str(error)) from None

    def _damaged(self, what: str) -> IntegrityError:
        return IntegrityError(f"{self._path}: damaged: {what}; move it away and reconcile the account by hand")


class RestoredState(Struct):
    """The state that a journal's entries add up to.

    ``day`` is the note of the last UTC day that began, None before any; ``runs`` the number of runs. ``added``
    (micros) is the starting cash of venues that were funded since that day began, and what was corrected since, which
    is no gain of the day.
    ``lost_too_much``: its loss reached the limit. ``sent``: times (ns UTC) of the orders of the last minute.
    ``consumed``: what was taken of levels of simulated venues that stood when last seen. ``rebates``: what fills have
    earned and venues have not paid yet.
    """

    account: TradingAccount = field(default_factory=lambda: TradingAccount({}))
    day: EngineNote | None = None
    runs: int = 0
    added: Money = ZERO_MONEY
    lost_too_much: bool = False
    sent: deque[int] = field(default_factory=deque)
    consumed: dict[tuple[InstrumentKey, Side, Price], LevelConsumed] = field(default_factory=dict)
    rebates: RebateAccruals = field(default_factory=RebateAccruals)

    def apply(self, entry: Entry) -> None:
        """Fold one entry in."""
        match entry:
            case RunStarted():
                self._start(entry)
            case EngineNoted():
                self._note(entry.note)
            case LiquidityTaken():
                self._consume(entry.event)
            case CommandSent():
                self._send(entry.decision.approved)
            case OrderNamed():
                self.account.name(entry.client_order_id, entry.order_id)
            case _:
                self._book(entry)

    def _book(self, entry: AccountUpdated | AccountCorrected | RebateBooked | MarketSettled) -> None:
        match entry:
            case AccountUpdated():
                self._answer(entry.event)
            case AccountCorrected():
                self.added = Money(self.added + self.account.credit(entry.event))
            case RebateBooked():
                self.account.credit(entry.event)
                self.rebates.on_paid(entry.event)
            case MarketSettled():
                self.account.settle(entry.event)

    def _send(self, approved: Approved) -> None:
        if isinstance(approved.command, PlaceOrder):
            self.account.place(approved.command, approved.ts)
            self._note_sent(approved.ts)

    def _answer(self, event: AccountEvent) -> None:
        if isinstance(event, FillFailed):
            failed = self.account.portfolio.unconfirmed.find(event.key, event.trade_id)
            if failed is not None:
                self.rebates.on_failure(failed.owner.strategy, failed.fill)
        order = self.account.orders.get(event.client_order_id)
        if self.account.apply(event) == "applied" and isinstance(event, Fill) and order is not None:
            self.rebates.on_fill(order.strategy, event)

    def _consume(self, told: LevelConsumed) -> None:
        place = (told.key, told.side, told.price)
        self.consumed.pop(place, None)
        if told.size:
            self.consumed[place] = told

    def _note(self, note: EngineNote) -> None:
        if note.kind == "day":
            self.day, self.added, self.lost_too_much = note, ZERO_MONEY, False
        elif note.kind == "loss_limit":
            self.lost_too_much = True

    def _note_sent(self, ts: int) -> None:
        self.sent.append(ts)
        while self.sent[0] <= ts - MINUTE:
            self.sent.popleft()

    def _start(self, entry: RunStarted) -> None:
        self.runs += 1
        if entry.mode == MOCK_MODE:
            self.account.forget_payouts()  # it lists the same markets again
            self.consumed.clear()
        for venue, cash in entry.cash:
            if venue not in self.account.portfolio.venues():
                self.added = Money(self.added + cash)
                self.account.portfolio.fund(venue, cash)


def restore(entries: Iterable[Entry]) -> RestoredState:
    """Return the state that ``entries`` add up to."""
    state = RestoredState()
    for entry in entries:
        state.apply(entry)
    return state
