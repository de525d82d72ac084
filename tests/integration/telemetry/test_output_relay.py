"""A relay of output never blocks its writer: real pipes that nobody reads, readers that leave, terminals that stop."""

import io
import os
import pty
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

import pytest

from predsurv.telemetry.output_relay import OutputRelay, open_log
from tests.kit.patience import PATIENCE_S, eventually


class Pipe(NamedTuple):
    read: int
    stream: TextIO

    def take(self, count: int) -> bytes:
        taken = b""
        while len(taken) < count:
            taken += os.read(self.read, count - len(taken))
        return taken


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    read, write = os.pipe()
    with open(write, "w") as stream:
        yield Pipe(read, stream)
    os.close(read)


def test_what_the_encoding_of_the_target_lacks_is_replaced_as_there() -> None:
    read, write = os.pipe()
    with open(write, "w", encoding="ascii", errors="backslashreplace") as stream:
        relay = OutputRelay(stream)
        assert relay.encoding == "ascii"
        relay.write("3 ¢ \ud800\n")
        assert relay.finish(PATIENCE_S)
    assert os.read(read, 100) == b"3 \\xa2 \\ud800\n"
    os.close(read)


def test_what_is_written_arrives_in_order(pipe: Pipe) -> None:
    relay = OutputRelay(pipe.stream)
    lines = [f"{number}\n" for number in range(1_000)]
    for line in lines:
        relay.write(line)
    assert pipe.take(len("".join(lines))).decode() == "".join(lines)
    assert relay.finish(PATIENCE_S)
    assert relay.dropped == 0


def test_a_reader_that_stops_costs_lines_and_no_time_and_is_told_so_once(pipe: Pipe) -> None:
    told: list[int] = []
    relay = OutputRelay(pipe.stream, bytes_max=100_000, on_dropped=told.append)
    for _ in range(5_000):
        relay.write("x" * 99 + "\n")
    assert relay.dropped >= 5_000 - 100_000 // 100 - 66_000 // 100
    assert told == []
    assert not relay.finish(0)
    kept = 5_000 - relay.dropped
    assert pipe.take(kept * 100) == (b"x" * 99 + b"\n") * kept
    eventually(lambda: told)
    assert told == [relay.dropped]


def test_what_waits_is_passed_on_before_the_end(pipe: Pipe) -> None:
    relay = OutputRelay(pipe.stream)
    relay.write("x" * 200_000)
    assert not relay.finish(0.01)
    assert pipe.take(200_000) == b"x" * 200_000


def test_a_reader_that_leaves_is_quiet() -> None:
    read, write = os.pipe()
    with open(write, "w") as stream:
        relay = OutputRelay(stream)
        relay.write("a\n")
        os.close(read)
        relay.write("b\n")
        assert relay.finish(PATIENCE_S)
        assert relay.write("c\n") == 2


def test_a_stopped_terminal_blocks_nobody() -> None:
    master, slave = pty.openpty()
    with open(slave, "w") as stream:
        relay = OutputRelay(stream)
        assert relay.isatty()
        termios.tcflow(slave, termios.TCOOFF)  # what Ctrl-S does
        relay.write("x" * 100_000)
        assert not relay.finish(0.2)
        termios.tcflow(slave, termios.TCOON)
        assert os.read(master, 1) == b"x"
    os.close(master)


def test_what_has_no_descriptor_is_written_at_once() -> None:
    target = io.StringIO()
    relay = OutputRelay(target)
    relay.write("a")
    relay.flush()
    assert (target.getvalue(), relay.finish(0)) == ("a", True)


def test_a_log_file_is_reopened_under_its_name(tmp_path: Path) -> None:
    path = tmp_path / "collect.log"
    relay = OutputRelay(open_log(path))
    assert not relay.isatty()
    relay.write("before\n")
    eventually(lambda: path.stat().st_size)
    path.rename(tmp_path / "collect.log.1")
    relay.redirect(open_log(path))
    relay.write("after\n")
    assert relay.finish(PATIENCE_S)
    relay.target.close()
    assert ((tmp_path / "collect.log.1").read_text(), path.read_text()) == ("before\n", "after\n")
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_costs_lines_and_no_other_file_is_written_to_when_the_log_is_opened_anew(tmp_path: Path) -> None:
    told: list[int] = []
    relay = OutputRelay(open_log(Path("/dev/full")), on_dropped=told.append)
    relay.write("one\n")
    relay.write("two\n")
    eventually(lambda: relay.dropped == 2)
    data = os.open(tmp_path / "data", os.O_RDWR | os.O_CREAT)
    relay.redirect(open_log(tmp_path / "collect.log"))
    os.write(data, b"a record")
    os.close(data)
    relay.write("three\n")
    eventually(lambda: told == [2])
    assert relay.finish(PATIENCE_S)
    relay.target.close()
    assert ((tmp_path / "data").read_bytes(), (tmp_path / "collect.log").read_text()) == (b"a record", "three\n")


def test_opened_anew_after_its_end_a_relay_touches_no_other_file(tmp_path: Path) -> None:
    relay = OutputRelay(open_log(tmp_path / "one"))
    assert relay.finish(PATIENCE_S)
    relay._thread.join(PATIENCE_S)
    data = os.open(tmp_path / "data", os.O_RDWR | os.O_CREAT)
    relay.redirect(open_log(tmp_path / "two"))
    os.write(data, b"a record")
    os.close(data)
    relay.target.close()
    assert (tmp_path / "data").read_bytes() == b"a record"
