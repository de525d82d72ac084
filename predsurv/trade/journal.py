"""The order journal: everything that is ours is a fold over it.

Kept apart from the store's log because a single lost or doubled entry here is money: an order is
on disk before its request leaves, and what cannot be read is refused, never guessed.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final
from zlib import crc32

import msgspec
from msgspec import Struct

from predsurv.core.errors import IntegrityError, SafetyError
from predsurv.core.events import AccountEvent, MarketResolved
from predsurv.core.ids import StrategyName, VenueName
from predsurv.core.num import ZERO_MONEY, Money
from predsurv.core.orders import PlaceOrder
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.engine import EngineNote
from predsurv.engine.risk.gate import GateDecision
from predsurv.store.files import sync_dir

VERSION: Final = 1
PENDING_MAX: Final = 10_000
"""Entries buffered at most; beyond it they are written without being asked to."""


class RunStarted(Struct, frozen=True, array_like=True, tag="started"):
    """A run began at ``ts`` with these strategies; ``cash`` is for venues that had none before."""

    ts: int
    mode: str
    run: str
    strategies: tuple[StrategyName, ...]
    cash: tuple[tuple[VenueName, Money], ...]


class CommandSent(Struct, frozen=True, array_like=True, tag="sent"):
    """A command, about to leave."""

    decision: GateDecision


class AnswerReceived(Struct, frozen=True, array_like=True, tag="answered"):
    """What a broker said, and it changed something."""

    event: AccountEvent


class MarketSettled(Struct, frozen=True, array_like=True, tag="settled"):
    """A market in which we traded has resolved."""

    event: MarketResolved


class EngineNoted(Struct, frozen=True, array_like=True, tag="noted"):
    """Trading halted or resumed, a day began."""

    note: EngineNote


Entry = RunStarted | CommandSent | AnswerReceived | MarketSettled | EngineNoted

_DECODER: Final = msgspec.msgpack.Decoder(Entry)
_ENCODER: Final = msgspec.msgpack.Encoder()


class OrderJournal:
    """One append-only file. ``durable`` False skips the disk's own promise, ``fresh`` begins anew.

    Each entry carries a checksum chained to the one before it, so that a changed, lost or moved
    entry is found. Raises IntegrityError for a file that is damaged or of a newer version.
    """

    def __init__(self, path: Path, *, durable: bool = True, readonly: bool = False, fresh: bool = False) -> None:
        self._path = path
        self._pending: list[Entry] = []
        self._seq = self._chain = 0
        self._lock = None if readonly else _lock(path)
        if not readonly and (fresh or not path.exists()):
            _create(path)
        self._db = _connect(path, durable=durable, readonly=readonly)
        try:
            self._check()
        except BaseException:
            self._db.close()
            self._unlock()
            raise

    def append(self, entry: Entry) -> None:
        """Take an entry; it is on disk after ``flush``."""
        self._pending.append(entry)
        if len(self._pending) >= PENDING_MAX:
            self.flush()

    def flush(self) -> None:
        """Write what was appended, all or nothing, and return when it would survive a power cut."""
        if not self._pending:
            return
        rows = []
        for entry in self._pending:
            body = _ENCODER.encode(entry)
            self._seq += 1
            self._chain = crc32(body, self._chain)
            rows.append((self._seq, self._chain, body))
        self._pending.clear()
        with self._db:
            self._db.executemany("INSERT INTO entries VALUES (?, ?, ?)", rows)

    def entries(self) -> Iterator[Entry]:
        """Yield every entry in order, those not flushed yet too; raises IntegrityError."""
        for body in self._rows():
            try:
                yield _DECODER.decode(body)
            except msgspec.MsgspecError as error:
                raise self._damaged(f"an entry cannot be read: {error}") from None
        yield from self._pending

    def dump(self) -> bytes:
        """Return the whole journal as JSON lines, the same bytes for the same entries."""
        return b"".join(msgspec.json.encode(entry) + b"\n" for entry in self.entries())

    def close(self) -> None:
        """Write what is left and close; safe to call twice."""
        self.flush()  # nothing is pending the second time
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
        """Read everything once: raises IntegrityError when that cannot be done."""
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
            raise self._damaged(str(error)) from None

    def _damaged(self, what: str) -> IntegrityError:
        return IntegrityError(f"{self._path}: damaged: {what}; move it away and reconcile the account by hand")


class RestoredState(Struct, frozen=True):
    """What a journal says: everything of ours, when the last UTC day began, and how often it was begun.

    ``added`` is the cash that venues were first given since that day began: no gain of that day.
    """

    ledger: TradingAccount
    day: EngineNote | None = None
    runs: int = 0
    added: Money = ZERO_MONEY


def fold(entries: Iterable[Entry]) -> RestoredState:
    """Return what the entries add up to."""
    ledger, runs, added = TradingAccount({}), 0, 0
    day: EngineNote | None = None
    for entry in entries:
        if isinstance(entry, RunStarted):
            runs += 1
            for venue, cash in entry.cash:
                added += 0 if venue in ledger.portfolio.venues() else cash
                ledger.portfolio.endow(venue, cash)
        elif isinstance(entry, EngineNoted):
            if entry.note.kind == "day":
                day, added = entry.note, 0
        else:
            _apply(ledger, entry)
    return RestoredState(ledger, day, runs, Money(added))


def last_entry_time(entries: Iterable[Entry]) -> int | None:
    """Return the latest time (ns UTC) that any of ``entries`` states, None when none does."""
    times = (getattr(entry, "ts", None) or getattr(getattr(entry, "event", None), "ts_recv", None) for entry in entries)
    return max((ts for ts in times if ts), default=None)


def _apply(ledger: TradingAccount, entry: CommandSent | AnswerReceived | MarketSettled) -> None:
    if isinstance(entry, CommandSent):
        approved = entry.decision.approved
        if isinstance(approved.command, PlaceOrder):
            ledger.place(approved.command, approved.ts)
    elif isinstance(entry, AnswerReceived):
        ledger.apply(entry.event)
    else:
        ledger.settle(entry.event)


def _lock(path: Path) -> int:
    """Return the descriptor that keeps other traders away from the journal for as long as it is open."""
    fd = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise SafetyError(f"another trader is using {path}; stop it first, two would not know each other") from None
    return fd


def _create(path: Path) -> None:
    """Make an empty journal under its name in one step: one that exists is always whole."""
    for old in (path.with_suffix(".db-wal"), path.with_suffix(".db-shm")):
        old.unlink(missing_ok=True)
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    db = sqlite3.connect(draft)
    draft.chmod(0o600)
    db.execute("CREATE TABLE entries (seq INTEGER PRIMARY KEY, chain INTEGER NOT NULL, body BLOB NOT NULL) STRICT")
    db.execute(f"PRAGMA user_version={VERSION}")
    db.close()
    draft.replace(path)
    sync_dir(path.parent)


def _connect(path: Path, *, durable: bool, readonly: bool) -> sqlite3.Connection:
    if readonly:
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    db = sqlite3.connect(path)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute(f"PRAGMA synchronous={'FULL' if durable else 'OFF'}")
    except sqlite3.DatabaseError:
        return db  # whatever is wrong is found and named by reading it
    return db
