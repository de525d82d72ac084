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
