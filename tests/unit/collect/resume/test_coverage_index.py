"""The index keeps where coverage ended across restarts, crashes, odd names and damage."""

import gc
import logging
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predsurv.collect.resume.coverage_index import CoverageIndex
from predsurv.core.errors import TransientError
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from tests.kit.recorder_samples import START, VENUE, A, B, C


def test_stored_ends_are_found_again_after_a_restart(tmp_path: Path) -> None:
    index = CoverageIndex(tmp_path, "c0")
    index.store([(A, START), (B, START + 1)])
    index.store([(A, START + 5)])
    index.close()
    index = CoverageIndex(tmp_path, "c0")
    assert index.lookup([A, B, C]) == {A: START + 5, B: START + 1, C: None}
    assert index.all_of(VENUE) == {A: START + 5, B: START + 1}
    assert index.all_of(VenueName("elsewhere")) == {}
    assert index.lookup([]) == {}
    index.close()
    index.close()


def test_those_that_wait_for_a_place_are_told_from_those_that_had_one(tmp_path: Path) -> None:
    index = CoverageIndex(tmp_path, "c0")
    index.store([(A, START)], [(B, START + 1)])
    assert index.waiting(VENUE) == {B: START + 1}
    assert index.lookup([A, B]) == {A: START, B: START + 1}
    assert index.all_of(VENUE, keep=lambda key: key == B) == {B: START + 1}
    index.store([(B, START + 9)])
    assert index.waiting(VENUE) == {}
    index.close()


def test_the_index_of_an_earlier_version_is_read_and_written(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "c0.ledger.db")) as db, db:
        db.execute(
            "CREATE TABLE ends (venue TEXT NOT NULL, instrument_id TEXT NOT NULL, market_id TEXT NOT NULL, "
            "ended INTEGER NOT NULL, PRIMARY KEY (venue, instrument_id, market_id)) WITHOUT ROWID"
        )
        db.execute("INSERT INTO ends VALUES (?, ?, ?, ?)", (VENUE, A.instrument_id, A.market_id, START))
    for _ in range(2):
        index = CoverageIndex(tmp_path, "c0")
        index.store([], [(B, START)])
        assert (index.lookup([A]), index.waiting(VENUE)) == ({A: START}, {B: START})
        index.store_learnt(VENUE, b"sums")
        assert index.learnt(VENUE) == b"sums"
        index.close()


def test_stored_ends_survive_a_killed_process(tmp_path: Path) -> None:
    index = CoverageIndex(tmp_path, "c0")
    index.store([(A, START)])
    other = CoverageIndex(tmp_path, "c0")  # nothing was closed
    assert other.lookup([A]) == {A: START}
    index.close()
    other.close()


def test_many_instruments_are_looked_up_at_once(tmp_path: Path) -> None:
    keys = [InstrumentKey(VENUE, MarketId(f"m{n}"), InstrumentId(f"i{n}")) for n in range(1_003)]
    index = CoverageIndex(tmp_path, "c0")
    index.store([(key, START + n) for n, key in enumerate(keys)])
    assert index.lookup(keys) == {key: START + n for n, key in enumerate(keys)}
    index.close()


def test_lookups_of_different_numbers_of_instruments_cache_no_statements(tmp_path: Path) -> None:
    keys = [InstrumentKey(VENUE, MarketId("m"), InstrumentId(f"i{n}")) for n in range(40)]
    index = CoverageIndex(tmp_path, "c0")
    index.lookup(keys)
    before = _statements_prepared()
    for count in range(40):
        index.lookup(keys[:count])
    assert _statements_prepared() == before
    index.close()


def _statements_prepared() -> int:
    gc.collect()
    return sum(
        type(each).__module__ == sqlite3.__name__ and "Statement" in type(each).__name__ for each in gc.get_objects()
    )


@given(st.dictionaries(st.tuples(st.text(max_size=6), st.text(max_size=6)), st.integers(0, 2**62), max_size=8))
@settings(max_examples=25, deadline=None)
def test_any_name_can_be_stored(tmp_path_factory: pytest.TempPathFactory, names: dict[tuple[str, str], int]) -> None:
    ends = {InstrumentKey(VENUE, MarketId(m), InstrumentId(i)): ended for (m, i), ended in names.items()}
    index = CoverageIndex(tmp_path_factory.mktemp("state"), "c0")
    index.store(ends.items())
    assert index.lookup(ends) == ends
    index.close()


def test_a_lone_surrogate_in_a_name_can_be_stored(tmp_path: Path) -> None:
    odd = InstrumentKey(VENUE, MarketId("\ud800"), InstrumentId("\udfff"))
    index = CoverageIndex(tmp_path, "c0")
    index.store([(odd, START)])
    assert index.lookup([odd]) == {odd: START}
    index.close()


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to have a header" * 50, b"\0" * 8_192])
def test_a_damaged_index_is_renamed_and_replaced(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "c0.ledger.db"
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        index = CoverageIndex(tmp_path, "c0")
    index.store([(A, START)])
    assert index.lookup([A]) == {A: START}
    index.close()
    assert (tmp_path / "c0.ledger.db.damaged").read_bytes() == content
    assert len(caplog.records) == 1


def test_a_disk_error_is_raised_and_nothing_is_half_stored(tmp_path: Path) -> None:
    (tmp_path / "c0.ledger.db").mkdir()
    with pytest.raises(TransientError, match="start again"):
        CoverageIndex(tmp_path, "c0")
    index = CoverageIndex(tmp_path, "c1")
    index.close()
    with pytest.raises(TransientError, match="free disk space"):
        index.store([(A, START)])


def test_only_the_owner_may_read_the_index(tmp_path: Path) -> None:
    CoverageIndex(tmp_path, "c0").close()
    assert (tmp_path / "c0.ledger.db").stat().st_mode & 0o077 == 0


def test_what_was_learnt_is_replaced_and_found_again(tmp_path: Path) -> None:
    index = CoverageIndex(tmp_path, "c0")
    assert index.learnt(VENUE) is None
    index.store_learnt(VENUE, b"first")
    index.store_learnt(VENUE, b"second")
    index.store_learnt(VenueName("elsewhere"), b"third")
    index.close()
    index = CoverageIndex(tmp_path, "c0")
    assert (index.learnt(VENUE), index.learnt(VenueName("elsewhere"))) == (b"second", b"third")
    assert index.all_of(VENUE) == {}
    index.close()
    with pytest.raises(TransientError):
        index.store_learnt(VENUE, b"")
    with pytest.raises(TransientError):
        index.learnt(VENUE)


def test_a_kill_leaves_what_was_learnt_last_whole(tmp_path: Path) -> None:
    """The process dies at any moment: what it had said to be stored is there, or the next one, and nothing between."""
    for _ in range(5):
        told, telling = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                index = CoverageIndex(tmp_path, "c0")
                for number in range(1, 1_000_000):
                    index.store_learnt(VENUE, number.to_bytes(8) * 20_000)
                    os.write(telling, number.to_bytes(8))
            finally:
                os._exit(1)
        os.close(telling)
        with os.fdopen(told, "rb") as file:
            file.read(8 * 3)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            said = 3 + len(file.read()) // 8
        index = CoverageIndex(tmp_path, "c0")
        found = index.learnt(VENUE)
        index.close()
        assert found in (said.to_bytes(8) * 20_000, (said + 1).to_bytes(8) * 20_000)
