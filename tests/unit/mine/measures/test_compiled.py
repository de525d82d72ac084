"""The compiled measures of an hour are those of their specification: several instruments and files, changing ticks."""

import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from predsurv.core import native
from predsurv.mine.hour_measures import NO_BOOKS, HourRows, ObservedHour, measure_hour
from predsurv.mine.measures import intervals, moments, visits
from predsurv.mine.measures.coded_rows import CodedRows
from predsurv.mine.measures.totals import KEYS
from tests.kit import mined_tapes
from tests.kit.generated_tapes import tapes
from tests.kit.mined_tapes import HOUR, LEVELS, T0, MinedTape, S

pytestmark = pytest.mark.skipif(native.speedups is None, reason="there was no C compiler")

CODES = (0, 3, 4)
_PIECES = {"code": pl.UInt32, "piece": pl.Int32, "since": pl.Int64, "until": pl.Int64}


def as_files(frames: list[pl.DataFrame], files: int) -> CodedRows:
    """Return the rows of instruments as ``files`` have them that follow one another in time, each sorted by code."""
    every = pl.concat(frames)
    if files == 1:
        return CodedRows.of(every)
    return CodedRows.of(pl.concat([every.sort("ts_recv")[::2].sort("code"), every.sort("ts_recv")[1::2].sort("code")]))


def observed(drawn: list[MinedTape], hour: int) -> ObservedHour:
    covered, placed = [], []
    for code, tape in zip(CODES, drawn, strict=True):
        own = intervals.covered(mined_tapes.coverage(tape).lazy()).collect()
        covered.append(own.with_columns(pl.lit(code, pl.UInt32).alias("code")).drop("instrument_id"))
        placed.append(mined_tapes.trades(tape, own, code))
    numbered = visits.numbered(pl.concat(covered))
    begin = T0 + hour * HOUR
    within = moments.visits_within(numbered.lazy(), begin).collect()
    trades = pl.concat(placed).filter(pl.col("ts").is_between(begin, begin + HOUR, closed="left"))
    middle = T0 + HOUR + 20 * S
    pieces = pl.DataFrame([(3, 0, T0, middle), (3, 1, middle, T0 + 2 * HOUR)], schema=_PIECES, orient="row")
    return ObservedHour(within, trades, pieces)


def same(name: str, one: pl.DataFrame, other: pl.DataFrame) -> None:
    keys = ["visit" if name.startswith("visit") else "code", *KEYS.get(name, ())]
    assert one.schema == other.select(one.columns).schema
    for left, right in zip(one.sort(keys).rows(), other.select(one.columns).sort(keys).rows(), strict=True):
        assert left == tuple(each if each is None else pytest.approx(each, rel=1e-9, abs=1e-7) for each in right)


@settings(max_examples=15, phases=(Phase.explicit, Phase.generate, Phase.shrink))
@given(drawn=st.lists(tapes, min_size=3, max_size=3), files=st.integers(1, 2))
def test_both_implementations_measure_the_same(drawn: list[MinedTape], files: int) -> None:
    carry = NO_BOOKS
    for hour in (0, 1):
        books = [mined_tapes.snapshots(tape, hour, code) for code, tape in zip(CODES, drawn, strict=True)]
        changed = [mined_tapes.changes(tape, hour, code) for code, tape in zip(CODES, drawn, strict=True)]
        rows = HourRows(T0 + hour * HOUR, as_files(books, files), LEVELS, as_files(changed, files))
        seen = observed(drawn, hour)
        compiled = measure_hour(rows, seen, carry, by_c=True)
        specified = measure_hour(rows, seen, carry, by_c=False)
        for name, frame in compiled.measures.items():
            same(name, specified.measures.get(name, frame.clear()), frame)  # without a trade nothing is told of trades
        assert specified.measures.keys() <= compiled.measures.keys()
        same("carry", specified.carry, compiled.carry)
        carry = specified.carry


def test_columns_that_are_not_rows_are_refused() -> None:
    assert native.speedups is not None
    with pytest.raises(ValueError, match="one length"):
        native.speedups.mine_changes(0, (b"", b""), (b"",) * 6, (b"12345678", b""))
    with pytest.raises(ValueError, match="as many columns"):
        native.speedups.mine_changes(0, (b"",), (b"",) * 6, (b"", b""))
    with pytest.raises(ValueError, match="book rows"):
        native.speedups.mine_books(0, (b"",) * 2, (b"",) * 6, (b"",), (b"",), (b"",) * 3, (b"",) * 25, (b"",) * 5)
