"""The ledger remembers every account's end across restarts, crashes, odd names and damage."""

import gc
import logging
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predsurv.collect.resume.coverage_index import CoverageIndex
from predsurv.core.errors import TransientError
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from tests.kit.recorder_samples import START, VENUE, A, B, C


def test_what_is_left_in_it_is_found_again_after_a_restart(tmp_path: Path) -> None:
    ledger = CoverageIndex(tmp_path, "c0")
    ledger.leave([(A, START), (B, START + 1)])
    ledger.leave([(A, START + 5)])
    ledger.close()
    ledger = CoverageIndex(tmp_path, "c0")
    assert ledger.ends([A, B, C]) == {A: START + 5, B: START + 1}
    assert ledger.every(VENUE) == {A: START + 5, B: START + 1}
    assert ledger.every(VenueName("elsewhere")) == {}
    assert ledger.ends([]) == {}
    ledger.close()
    ledger.close()


def test_what_was_left_survives_the_death_of_the_process(tmp_path: Path) -> None:
    ledger = CoverageIndex(tmp_path, "c0")
    ledger.leave([(A, START)])
    other = CoverageIndex(tmp_path, "c0")  # nothing was closed
    assert other.ends([A]) == {A: START}
    ledger.close()
    other.close()


def test_many_are_asked_for_at_once(tmp_path: Path) -> None:
    keys = [InstrumentKey(VENUE, MarketId(f"m{n}"), InstrumentId(f"i{n}")) for n in range(1_003)]
    ledger = CoverageIndex(tmp_path, "c0")
    ledger.leave([(key, START + n) for n, key in enumerate(keys)])
    assert ledger.ends(keys) == {key: START + n for n, key in enumerate(keys)}
    ledger.close()


def test_asking_for_ever_other_numbers_of_instruments_keeps_nothing(tmp_path: Path) -> None:
    keys = [InstrumentKey(VENUE, MarketId("m"), InstrumentId(f"i{n}")) for n in range(40)]
    ledger = CoverageIndex(tmp_path, "c0")
    ledger.ends(keys)
    before = _statements_prepared()
    for count in range(40):
        ledger.ends(keys[:count])
    assert _statements_prepared() == before
    ledger.close()


def _statements_prepared() -> int:
    gc.collect()
    return sum(
        type(each).__module__ == sqlite3.__name__ and "Statement" in type(each).__name__ for each in gc.get_objects()
    )


@given(st.dictionaries(st.tuples(st.text(max_size=6), st.text(max_size=6)), st.integers(0, 2**62), max_size=8))
@settings(max_examples=25, deadline=None)
def test_any_name_works(tmp_path_factory: pytest.TempPathFactory, names: dict[tuple[str, str], int]) -> None:
    ends = {InstrumentKey(VENUE, MarketId(m), InstrumentId(i)): ended for (m, i), ended in names.items()}
    ledger = CoverageIndex(tmp_path_factory.mktemp("state"), "c0")
    ledger.leave(ends.items())
    assert ledger.ends(ends) == ends
    ledger.close()


def test_a_lone_surrogate_is_a_name_too(tmp_path: Path) -> None:
    odd = InstrumentKey(VENUE, MarketId("\ud800"), InstrumentId("\udfff"))
    ledger = CoverageIndex(tmp_path, "c0")
    ledger.leave([(odd, START)])
    assert ledger.ends([odd]) == {odd: START}
    ledger.close()


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to have a header" * 50, b"\0" * 8_192])
def test_a_damaged_ledger_is_put_aside(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "c0.ledger.db"
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        ledger = CoverageIndex(tmp_path, "c0")
    ledger.leave([(A, START)])
    assert ledger.ends([A]) == {A: START}
    ledger.close()
    assert (tmp_path / "c0.ledger.db.damaged").read_bytes() == content
    assert len(caplog.records) == 1


def test_a_disk_that_refuses_is_said_and_nothing_is_half_done(tmp_path: Path) -> None:
    (tmp_path / "c0.ledger.db").mkdir()
    with pytest.raises(TransientError, match="start again"):
        CoverageIndex(tmp_path, "c0")
    ledger = CoverageIndex(tmp_path, "c1")
    ledger.close()
    with pytest.raises(TransientError, match="free disk space"):
        ledger.leave([(A, START)])


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    CoverageIndex(tmp_path, "c0").close()
    assert (tmp_path / "c0.ledger.db").stat().st_mode & 0o077 == 0
