"""Changes put together say what the deltas say, in Python and compiled."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.events import BookDelta
from predsurv.core.ids import InstrumentKey
from predsurv.core.level_changes import (
    LevelChanges,
    PackedEvent,
    PythonLevelChanges,
    count_of,
    each_event,
    each_record,
    python_count_of,
)
from predsurv.core.native import speedups
from predsurv.core.num import Price, Size
from tests.kit.recorder_samples import KEYS, START, A, B, delta, trade

Made = Callable[[list[BookDelta]], PythonLevelChanges]
needs_compiled = pytest.mark.skipif(speedups is None, reason="there was no C compiler")
both = pytest.mark.parametrize("made", [PythonLevelChanges, pytest.param(LevelChanges, marks=needs_compiled)])

times = st.none() | st.integers(-(2**63) + 1, 2**63 - 1)
numbers = st.integers(-(2**63), 2**63 - 1)
changes = st.lists(
    st.builds(
        lambda key, ts_venue, seq, side, price, size: BookDelta(key, START, ts_venue, 7, seq, side, price, size),
        st.sampled_from(KEYS),
        times,
        times,
        st.sampled_from(["bid", "ask"]),
        numbers.map(Price),
        numbers.map(Size),
    ),
    min_size=1,
    max_size=40,
)


@both
@given(listed=changes)
def test_changes_are_the_deltas_in_their_order(made: Made, listed: list[BookDelta]) -> None:
    run = made(listed)
    assert list(run) == list(run) == listed
    assert (len(run), run.ts_recv, run.ts_venue) == (len(listed), START, listed[0].ts_venue)
    counts = {A: 5}
    run.count(counts)
    told = [each.key for each in listed]
    assert counts == {key: told.count(key) + 5 * (key == A) for key in {A, *told}}


@both
def test_many_instruments_are_counted(made: Made) -> None:
    keys = [InstrumentKey(A.venue, A.market_id, A.instrument_id + str(number)) for number in range(900)]  # type: ignore[arg-type]
    run = made([replace(delta(A, START, 40, 1), key=key) for key in (*keys, *keys[:450])])
    counts: dict[InstrumentKey, int] = {}
    run.count(counts)
    assert counts == {key: 1 + (number < 450) for number, key in enumerate(keys)}


@both
@pytest.mark.parametrize(
    "listed",
    [
        [],
        [delta(A, START, 40, 1), delta(A, START + 1, 40, 1)],
        [delta(A, START, 40, 1), delta(A, START, 40, 1, epoch=2)],
    ],
)
def test_changes_are_of_one_time_and_connection(made: Made, listed: list[BookDelta]) -> None:
    with pytest.raises(ValueError, match="one connection and one time"):
        made(listed)


@needs_compiled
@pytest.mark.parametrize(
    "given",
    [
        replace(delta(A, START, 40, 1), ts_recv=2**63),
        replace(delta(A, START, 40, 1), epoch=2**63),
        replace(delta(A, START, 40, 1), ts_venue=2**63),
        replace(delta(A, START, 40, 1), seq=-(2**70)),
        replace(delta(A, START, 40, 1), price=Price(2**63)),
        replace(delta(A, START, 40, 1), size=Size(2**64)),
    ],
)
def test_the_compiled_ones_hold_64_bits(given: BookDelta) -> None:
    with pytest.raises(OverflowError):
        LevelChanges([given])


@needs_compiled
def test_the_compiled_ones_refuse_what_is_no_delta() -> None:
    for wrong in ([trade(A, START)], [delta(A, START, 40, 1), None], 5, [replace(delta(A, START, 40, 1), price="x")]):
        with pytest.raises(TypeError):
            LevelChanges(wrong)  # type: ignore[arg-type]
    kind: Any = LevelChanges
    with pytest.raises(TypeError):
        kind([delta(A, START, 40, 1)], deltas=1)
    with pytest.raises(TypeError):
        kind([delta(A, START, 40, 1)]).count([])


def test_items_are_counted_and_taken_apart_change_by_change() -> None:
    deltas = [delta(A, START, 40, 1), delta(B, START, 41, 0, "ask")]
    run, sale = LevelChanges(deltas), trade(A, START)
    cases: list[Sequence[PackedEvent]] = [[], (sale, sale), [run, sale, run]]
    for count in (count_of, python_count_of):
        assert [count(items) for items in cases] == [0, 2, 5]
    assert each_event([sale, run, sale]) == each_record([sale, run, sale]) == [sale, *deltas, sale]
    plain: list[PackedEvent] = [sale, *deltas]
    assert each_event(plain) is plain
