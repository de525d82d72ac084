"""A log file is read from its end and followed across its rotation, without a line lost or told twice."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.telemetry import log_files
from predsurv.telemetry.log_files import FollowedLog, LineSplitter
from predsurv.telemetry.log_lines import LINE_BYTES_MAX, LoggedLine


def everything(_line: LoggedLine) -> bool:
    return True


def add(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def texts(lines: Iterator[LoggedLine] | list[LoggedLine]) -> list[str]:
    return [line.message for line in lines]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "collect.log"


@pytest.fixture
def log(path: Path) -> Iterator[FollowedLog]:
    opened = FollowedLog(path)
    yield opened
    opened.close()


def test_the_last_lines_come_first_and_then_what_is_added(log: FollowedLog, path: Path) -> None:
    path.write_text("one\ntwo\nthree\nfo")
    assert texts(log.last(2, everything)) == ["two", "three"]
    assert texts(log.more()) == []
    add(path, "ur\nfive\n")
    assert texts(log.more()) == ["four", "five"]
    assert texts(log.more()) == []


def test_the_last_lines_are_those_that_are_wanted(log: FollowedLog, path: Path) -> None:
    path.write_text("a 1\nb 2\na 3\nb 4\n")
    assert texts(log.last(5, lambda line: line.message.startswith("a"))) == ["a 1", "a 3"]
    assert texts(log.more()) == []


def test_none_are_shown_where_none_are_asked_for(log: FollowedLog, path: Path) -> None:
    path.write_text("one\n")
    assert log.last(0, everything) == []
    add(path, "two\n")
    assert texts(log.more()) == ["two"]


def test_the_last_line_without_an_end_is_told_where_nothing_more_is_waited_for(log: FollowedLog, path: Path) -> None:
    path.write_text("one\ntwo")
    assert texts(log.last(5, everything)) == ["one"]
    assert texts(log.rest()) == ["two"]


@given(
    st.lists(st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=12), max_size=30),
    st.integers(0, 12),
    st.integers(1, 40),
)
def test_reading_backwards_finds_what_reading_forwards_does(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], count: int, block: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "a.log"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    log = FollowedLog(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_files, "_BLOCK", block)
        assert texts(log.last(count, everything)) == (lines[-count:] if count else [])
        add(path, "more\n")
        assert texts(log.more()) == ["more"]
    log.close()


def test_a_file_that_is_moved_away_is_read_on_until_its_writer_has_left_it(log: FollowedLog, path: Path) -> None:
    path.write_text("one\n")
    moved = path.with_suffix(".1")
    assert texts(log.last(9, everything)) == ["one"]
    path.rename(moved)
    add(moved, "two\n")
    assert texts(log.more()) == ["two"]
    path.touch()  # made by who rotates, before the writer knows
    add(moved, "three\n")
    assert texts(log.more()) == ["three"]
    add(moved, "four\nfi")
    add(path, "six\n")
    assert texts(log.more()) == ["four", "fi", "six"]
    add(moved, "seven\n")
    add(path, "eight\n")
    assert texts(log.more()) == ["eight"]


def test_what_was_written_between_two_looks_is_all_told(log: FollowedLog, path: Path) -> None:
    path.write_text("one\n")
    log.last(9, everything)
    add(path, "two\n")
    path.rename(path.with_suffix(".1"))
    path.write_text("three\n")
    assert texts(log.more()) == ["two", "three"]


def test_a_file_that_is_cut_short_is_read_from_its_beginning(log: FollowedLog, path: Path) -> None:
    path.write_text("one\ntwo\nthr")
    log.last(9, everything)
    os.truncate(path, 0)
    add(path, "four\n")
    assert texts(log.more()) == ["four"]


def test_a_file_that_is_not_there_yet_is_read_once_it_is(log: FollowedLog, path: Path) -> None:
    assert log.last(9, everything) == []
    assert texts(log.more()) == []
    path.write_text("one\n")
    assert texts(log.more()) == ["one"]


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    log = FollowedLog(tmp_path)
    with pytest.raises(IsADirectoryError):
        log.last(9, everything)
    log.close()


def test_a_line_without_end_takes_a_bounded_part_of_memory(log: FollowedLog, path: Path) -> None:
    path.write_bytes(b"head" + b"x" * (3 * LINE_BYTES_MAX) + b"\nnext\n")
    long, following = log.last(2, everything)
    assert long.message.startswith("headxxx")
    assert following.message == "next"
    splitter = LineSplitter()
    for _ in range(4):
        assert list(splitter.lines(b"y" * LINE_BYTES_MAX)) == []
    assert [len(line) for line in splitter.lines(b"\n")] == [LINE_BYTES_MAX]
    assert list(splitter.end()) == []
