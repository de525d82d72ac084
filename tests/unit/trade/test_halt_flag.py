"""The halt flag stays set until it is cleared."""

import errno
from pathlib import Path

import pytest

from predsurv.trade import halt_flag as module
from predsurv.trade.halt_flag import HaltFlag, HaltRecord


def test_a_flag_that_is_set_keeps_its_first_reason(tmp_path: Path) -> None:
    flag = HaltFlag(tmp_path / "state" / "halt.json")
    assert flag.read() is None
    flag.set(7, "by \x1b[31mhand")
    flag.set(8, "again")
    halt = HaltFlag(tmp_path / "state" / "halt.json").read()
    assert halt is not None
    assert halt.ts == 7
    assert "\x1b" not in halt.reason
    assert flag.clear() == halt
    assert flag.clear() is None


def test_an_unreadable_flag_halts_too(tmp_path: Path) -> None:
    path = tmp_path / "halt.json"
    path.write_bytes(b"{")
    assert HaltFlag(path).read() == HaltRecord(0, "a halt flag that cannot be read")
    path.unlink()
    path.mkdir()
    unreadable = HaltFlag(path).read()
    assert unreadable is not None
    assert "cannot be read" in unreadable.reason


def test_a_halt_is_not_weakened_and_a_limit_becomes_a_halt(tmp_path: Path) -> None:
    flag = HaltFlag(tmp_path / "halt.json")
    assert flag.set(7, "less", reducing=True) == HaltRecord(7, "less", "reducing")
    assert flag.set(8, "less still", reducing=True) == flag.read() == HaltRecord(7, "less", "reducing")
    assert flag.set(9, "nothing") == flag.read() == HaltRecord(9, "nothing", "halted")
    assert flag.set(10, "less", reducing=True) == flag.read() == HaltRecord(9, "nothing", "halted")


@pytest.mark.parametrize("reducing", [False, True])
@pytest.mark.parametrize("before", [False, True])
def test_a_full_disk_keeps_nobody_from_halting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool, reducing: bool
) -> None:
    flag = HaltFlag(tmp_path / "halt.json")
    if before:
        flag.set(7, "less", reducing=True)

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "write_whole", refuse)
    halt = flag.set(8, "now", reducing=reducing)
    assert halt == flag.read()
    assert halt.trading == ("reducing" if before and reducing else "halted")
    assert flag.clear() == halt
    assert flag.read() is None


def test_a_flag_that_cannot_be_set_for_another_reason_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(module, "write_whole", refuse)
    with pytest.raises(PermissionError):
        HaltFlag(tmp_path / "halt.json").set(8, "now")
