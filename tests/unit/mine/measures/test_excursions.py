"""Excursions over full hours: what an hour tells of its edges, and what hours make of it together, in any order."""

from itertools import permutations

import polars as pl
import pytest

from predsurv.mine.measures.excursions import EDGES, hour_measures, longest_joined
from predsurv.mine.measures.totals import Totals
from predsurv.store.layout import NS_HOUR

_S = 10**9
_NAMES = [name for edges in EDGES for name in edges]


def hour(*edges: tuple[int, int, int, int], begin: int = 0) -> dict[str, pl.DataFrame]:
    """The measures of an hour in which instrument number n has the n-th ``edges`` (seconds)."""
    rows = [(code, 1.0, *(edge * _S for edge in each)) for code, each in enumerate(edges)]
    schema = {"code": pl.UInt32, "set_s": pl.Float64, **dict.fromkeys(_NAMES, pl.Int64)}
    return hour_measures(pl.DataFrame(rows, schema=schema, orient="row"), begin * NS_HOUR)


def joined(*hours: dict[str, pl.DataFrame]) -> dict[str, tuple[float | None, float | None]]:
    totals = Totals("code")
    for each in hours:
        totals.add(each)
    found = longest_joined(totals.measures()["excursions"].lazy()).collect()
    return {str(code): (gross, net) for code, gross, net in found.iter_rows()}


def test_edges_are_no_part_of_what_adds_up() -> None:
    assert hour((0, 0, 0, 0))["outcomes"].columns == ["code", "set_s"]
    assert hour((0, 0, 0, 0))["excursions"].is_empty()
    assert joined(hour((0, 0, 0, 0))) == {}


def test_parts_that_meet_are_one_stretch_and_others_are_not() -> None:
    first, second = hour((0, 20, 0, 10)), hour((50, 30, 0, 0), begin=1)
    assert joined(first, second) == {"0": (70.0, 10.0)}
    later = hour((50, 30, 0, 0), begin=2)  # an hour lies between
    assert joined(first, later) == {"0": (50.0, 10.0)}


def test_a_stretch_goes_on_over_whole_hours_and_days() -> None:
    whole = [hour((3_600, 3_600, 0, 0), begin=number) for number in range(23, 26)]
    assert joined(hour((0, 5, 0, 0), begin=22), *whole, hour((7, 0, 7, 0), begin=26)) == {"0": (3 * 3_600 + 12.0, 7.0)}


def test_the_order_of_hours_and_other_instruments_do_not_count() -> None:
    hours = [
        hour((0, 20, 0, 20), (1, 2, 0, 0)),
        hour((3_600, 3_600, 1, 0), (3, 0, 0, 0), begin=1),
        hour((4, 0, 0, 0), begin=2),
    ]
    found = [joined(*order) for order in permutations(hours)]
    assert found[0] == {"0": (3_624.0, 21.0), "1": (5.0, None)}
    assert all(each == found[0] for each in found)


@pytest.mark.parametrize("net", [0, 1])
def test_fees_have_stretches_of_their_own(net: int) -> None:
    edges = [0, 0, 0, 0]
    edges[2 * net + 1] = 9
    (kept,) = joined(hour(tuple(edges))).values()  # type: ignore[arg-type]
    assert kept == ((9.0, None), (None, 9.0))[net]
