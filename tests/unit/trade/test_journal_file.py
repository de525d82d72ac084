"""When entries are on disk is decided by who sends what they say; a disk that failed once is never believed again."""

import os
import sqlite3
from pathlib import Path

import pytest

from predsurv.core.errors import TransientError
from predsurv.trade import journal_file
from predsurv.trade.journal import OrderJournal, RunStarted
from predsurv.trade.journal_file import LogSync

ENTRY = RunStarted(1, "paper", "r", (), ())


def synced(monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[str]:
    """Return what is synced from now on in a folder, by the name of the file."""
    names, sync = list[str](), journal_file._sync_data

    def noting(fd: int) -> None:
        names.extend(each.name for each in folder.iterdir() if each.stat().st_ino == os.fstat(fd).st_ino)
        sync(fd)

    monkeypatch.setattr(journal_file, "_sync_data", noting)
    return names


def test_flushing_writes_and_syncing_puts_on_disk_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = synced(monkeypatch, tmp_path)
    journal = OrderJournal(tmp_path / "paper.db")
    journal.append(ENTRY)
    journal.flush()
    reader = OrderJournal(tmp_path / "paper.db", readonly=True)
    assert (list(reader.entries()), names) == ([ENTRY], [])
    reader.close()
    journal.sync()
    journal.sync()
    assert names == ["paper.db-wal"] * 2
    journal.close()
    journal.close()
    assert names == ["paper.db-wal"] * 3


def test_what_is_not_durable_is_never_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = synced(monkeypatch, tmp_path)
    journal = OrderJournal(tmp_path / "run.db", durable=False)
    journal.append(ENTRY)
    journal.flush()
    journal.sync()
    journal.close()
    assert names == []


def test_a_disk_that_refused_once_is_not_believed_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = OrderJournal(tmp_path / "paper.db")
    journal.append(ENTRY)
    journal.flush()

    def refuse(_: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(journal_file, "_sync_data", refuse)
        with pytest.raises(TransientError, match=r"cannot sync .*paper\.db.*Input/output error"):
            journal.sync()
    with pytest.raises(TransientError, match="Input/output error"):
        journal.sync()
    with pytest.raises(TransientError, match="Input/output error"):
        journal.close()
    OrderJournal(tmp_path / "paper.db").close()  # it was closed and unlocked all the same


def test_a_log_that_was_closed_is_left_alone(tmp_path: Path) -> None:
    log = LogSync(tmp_path / "none.db")
    log.close()
    log.close()
    log.sync()


def test_commits_survive_although_sqlite_does_not_sync_them(tmp_path: Path) -> None:
    """All of an entry is in the log beside the file when ``flush`` returns: that file is what ``sync`` syncs."""
    journal = OrderJournal(tmp_path / "paper.db")
    before = (tmp_path / "paper.db").read_bytes()
    journal.append(ENTRY)
    journal.flush()
    assert (tmp_path / "paper.db").read_bytes() == before
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("paper.db", "paper.db-wal"):
        (copy / name).write_bytes((tmp_path / name).read_bytes())
    db = sqlite3.connect(copy / "paper.db")
    assert db.execute("SELECT count(*) FROM entries").fetchone() == (1,)
    db.close()
    journal.close()
