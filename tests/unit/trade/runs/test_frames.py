"""Chunks on disk: what was written comes back, torn ends are ends, damage is named, a slow disk stops nothing."""

from pathlib import Path
from threading import Event
from typing import Any

import pytest

from predsurv.core.errors import IntegrityError
from predsurv.trade.runs import frames
from predsurv.trade.runs.frames import CHUNK_OBJECTS, FrameWriter, read_frames
from predsurv.trade.runs.inputs import RunInput, TimePassed


def written(path: Path, count: int = 2 * CHUNK_OBJECTS + 7) -> list[TimePassed]:
    writer, items = FrameWriter(path), [TimePassed(n) for n in range(count)]
    for each in items:
        writer.append(each)
    assert len(writer.close()) == 64
    assert writer.lost == ""
    return items


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    assert (
        list(read_frames(path, RunInput)) == [] if path.exists() else written(path) == list(read_frames(path, RunInput))
    )
    one, other = FrameWriter(tmp_path / "a"), FrameWriter(tmp_path / "b")
    for each in (one, other):
        each.append(TimePassed(1))
    assert one.close() == other.close() == one.close()
    FrameWriter(tmp_path / "empty").close()
    assert list(read_frames(tmp_path / "empty", RunInput)) == []


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_torn_end_is_the_end(tmp_path: Path, cut: int) -> None:
    items = written(tmp_path / "x")
    whole = (tmp_path / "x").read_bytes()
    (tmp_path / "x").write_bytes(whole[:-cut])
    found = list(read_frames(tmp_path / "x", RunInput))
    assert found == items[: 2 * CHUNK_OBJECTS]


def test_damage_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x"
    written(path)
    whole = bytearray(path.read_bytes())
    whole[60] ^= 1
    path.write_bytes(whole)
    with pytest.raises(IntegrityError, match="checksum"):
        list(read_frames(path, RunInput))
    path.write_bytes(b"something else entirely")
    with pytest.raises(IntegrityError, match="no recording of a run"):
        list(read_frames(path, RunInput))
    writer = FrameWriter(path)
    writer.append("no input")
    writer.close()
    with pytest.raises(IntegrityError, match="damaged"):
        list(read_frames(path, RunInput))


def test_a_file_that_gets_too_long_ends_and_says_why(tmp_path: Path) -> None:
    writer = FrameWriter(tmp_path / "x", bytes_max=40)
    for _ in range(3 * CHUNK_OBJECTS):
        writer.append(TimePassed(1))
    writer.close()
    assert "longer than" in writer.lost
    assert len(list(read_frames(tmp_path / "x", RunInput))) < 3 * CHUNK_OBJECTS


def test_a_full_disk_ends_it_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = FrameWriter(tmp_path / "x")

    class Full:
        def write(self, body: bytes) -> int:
            raise OSError(28, "No space left on device")

        def close(self) -> None:
            writing.close()

    writing = writer._file
    monkeypatch.setattr(writer, "_file", Full())
    writer.append(TimePassed(1))
    writer.close()
    assert "No space left on device" in writer.lost


def test_a_disk_that_does_not_keep_up_stops_the_recording_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "WAITING_CHUNKS_MAX", 2)
    writer, go_on = FrameWriter(tmp_path / "x"), Event()
    write = writer._write

    def slow(objects: list[Any]) -> None:
        go_on.wait(30)
        write(objects)

    monkeypatch.setattr(writer, "_write", slow)
    for _ in range(4):
        writer.append(TimePassed(1))
        writer.end_chunk()
    assert writer.lost == "the disk did not keep up"
    go_on.set()
    writer.close()
