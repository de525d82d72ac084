"""Tests of predsurv.store.files."""

import os
from pathlib import Path

import pytest

from predsurv.store.files import append_lines, clear_dir, exchange_dirs, make_dirs, sync_file, write_whole


def test_a_failed_replacement_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")

    def fail(fd: int) -> None:
        raise OSError("no space")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_new_folders_are_synced_from_the_top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr("predsurv.store.files.sync_dir", lambda path: synced.append(path.name))
    make_dirs(tmp_path / "a" / "b")
    make_dirs(tmp_path / "a" / "b")
    assert synced == [tmp_path.name, "a"]


def test_a_short_append_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append_lines(tmp_path / "log", b"one\n")
    monkeypatch.setattr(os, "write", lambda fd, data: 1)
    with pytest.raises(OSError, match="short write"):
        append_lines(tmp_path / "log", b"two\n")


def test_clearing_empties_a_folder_and_accepts_a_missing_one(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    clear_dir(tmp_path)
    clear_dir(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


def test_syncing_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sync_file(tmp_path / "none")


def test_folders_are_swapped_with_their_content(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
        (folder / folder.name).touch()
    exchange_dirs(one, other)
    assert ((one / "other").exists(), (other / "one").exists()) == (True, True)
    with pytest.raises(OSError, match="No such file"):
        exchange_dirs(one, tmp_path / "missing")
