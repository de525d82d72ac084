"""The compiled sums of outcomes are those of their specification: several sets, files out of order, gaps in codes."""

from collections.abc import Sequence
from struct import pack

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core import native
from predsurv.core.market import NO_FEE, FeeSchedule
from predsurv.mine.hour_measures import NO_BOOKS
from predsurv.mine.measures import compiled, intervals, moments, visits
from predsurv.mine.measures import outcome_sums as outcome_sums_module
from predsurv.mine.measures.coded_rows import CodedRows
from predsurv.mine.measures.outcome_sums import NO_SETS, SET_SUMS, CodedSets, best_carried, outcome_sums
from tests.kit.generated_sets import sets
from tests.kit.mined_tapes import HOUR, T0, BookRow, coverage, snapshots
from tests.kit.outcome_tapes import Leg, OutcomeTape

pytestmark = pytest.mark.skipif(native.speedups is None, reason="there was no C compiler")

NO_BEST = NO_SETS.rows_of(None)
_CODE = pl.UInt32
_LONE = 9
"""A code of which no book is recorded."""


def coded(tapes: Sequence[OutcomeTape]) -> tuple[dict[int, Leg], CodedSets]:
    """The outcomes of ``tapes`` by code, in turns, and their sets: each one's, one across, one without a book."""
    legs = {len(tapes) * i + number: leg for number, tape in enumerate(tapes) for i, leg in enumerate(tape.legs)}
    members = {3 + 4 * n: [len(tapes) * i + n for i in range(len(each.legs))] for n, each in enumerate(tapes)}
    members |= {20: [0, 1], 30: [0, _LONE]}
    schedules = tuple(dict.fromkeys(window.fee for leg in legs.values() for window in leg.windows))
    terms = [
        (number, code, T0 + window.since, T0 + window.until, schedules.index(window.fee))
        for number, codes in members.items()
        for code in codes
        for window in legs.get(code, legs[0]).windows
    ]
    known = [(number, len(codes), number % 2 == 1) for number, codes in members.items() if number != 7]
    shown = [(code, number) for number, codes in members.items() for code in codes]
    columns = {"set": _CODE, "code": _CODE, "since": pl.Int64, "until": pl.Int64, "fee": _CODE}
    return dict(sorted(legs.items())), CodedSets(
        pl.DataFrame(known, schema={"set": _CODE, "legs": pl.Int64, "exhaustive": pl.Boolean}, orient="row"),
        pl.DataFrame(terms, schema=columns, orient="row"),
        pl.DataFrame(shown, schema={"code": _CODE, "set": _CODE}, orient="row"),
        schedules,
    )


def within(legs: dict[int, Leg], begin: int) -> pl.DataFrame:
    """The visits of the outcomes in the hour from ``begin`` on."""
    each = [
        intervals.covered(coverage(leg.tape).lazy()).collect().with_columns(pl.lit(code, _CODE).alias("code"))
        for code, leg in legs.items()
    ]
    return moments.visits_within(visits.numbered(pl.concat(each).drop("instrument_id")).lazy(), begin).collect()


def same(specified: pl.DataFrame, found: pl.DataFrame) -> None:
    assert found.schema == specified.schema
    for left, right in zip(found.rows(), specified.rows(), strict=True):
        assert left == tuple(pytest.approx(each, rel=1e-12, abs=0) for each in right)


@given(tapes=st.lists(sets(), min_size=1, max_size=3), order=st.sampled_from(["sorted", "two files", "backwards"]))
def test_both_implementations_add_up_the_same(tapes: list[OutcomeTape], order: str) -> None:
    legs, scope = coded(tapes)
    given_scope = scope if order == "sorted" else scope._replace(sets=scope.sets.reverse(), terms=scope.terms.reverse())
    carry = NO_BOOKS
    for hour in (0, 1):
        begin = T0 + hour * HOUR
        observed = within(legs, begin)
        every = pl.concat([snapshots(leg.tape, hour, code) for code, leg in legs.items()])
        if order == "two files":  # that follow one another
            every, carry = pl.concat([every.gather_every(2), every.gather_every(2, 1)]), carry.reverse()
        elif order == "backwards":
            every = every.reverse().sort("code", maintain_order=True)
        rows = scope.rows_of(CodedRows.of(every))
        specified = outcome_sums(rows, carry, observed, scope, begin)
        same(specified, compiled.outcome_measures(rows, carry, observed, given_scope, begin))
        carry = best_carried(rows, carry, observed, begin)


def lone_pair(first: BookRow, second: BookRow, fee: FeeSchedule) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What both implementations tell of a set of two outcomes with a book each, all of the first hour."""
    whole = ((0, HOUR),)
    tape = OutcomeTape((Leg((first,), whole), Leg((second,), whole)))
    legs, scope = coded([tape, tape])
    scope = scope._replace(schedules=tuple(fee for _ in scope.schedules))
    every = pl.concat([snapshots(leg.tape, 0, code) for code, leg in legs.items()])
    given_rows = (scope.rows_of(CodedRows.of(every)), NO_BOOKS, within(legs, T0), scope, T0)
    return outcome_sums(*given_rows), compiled.outcome_measures(*given_rows)


def test_nothing_is_charged_at_a_price_that_no_share_can_have() -> None:
    edge = BookRow(0, True, ((0.0, 5.0),), ((1.0, 5.0),))
    specified, found = lone_pair(edge, edge, FeeSchedule("kalshi", 70_000))
    same(specified, found)
    dear = BookRow(0, True, ((1.25, 5.0),), ((1.5, 5.0),))
    specified, found = lone_pair(dear, dear, FeeSchedule("kalshi", 70_000))
    same(specified, found)
    assert found["deepest_net_high"][0] == pytest.approx(1.5)


def test_sellers_pay_by_the_bid_and_buyers_by_the_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    def fee(schedule: FeeSchedule, price: int, side: str) -> int:
        return price * (2 if side == "buy" else 3)

    for module in (outcome_sums_module, compiled):
        monkeypatch.setattr(module, "fee_of_sets", fee)
    bids = BookRow(0, True, ((0.6, 5.0),), ((0.7, 5.0),))
    asks = BookRow(0, True, ((0.3, 5.0),), ((0.4, 5.0),))
    for book, net in ((bids, 0.2 - 0.003 * 1.2), (asks, 0.2 - 0.002 * 0.8)):
        specified, found = lone_pair(book, book, NO_FEE)
        same(specified, found)
        assert found["deepest_net_high"][0] == pytest.approx(net)


def test_sets_without_books_and_books_without_sets_tell_nothing() -> None:
    none = compiled.outcome_measures(NO_BEST, NO_BOOKS, within({0: Leg((), ())}, T0), NO_SETS, T0)
    assert none.columns == ["code", *SET_SUMS, "legs_high"]
    assert none.is_empty()
    _, found = lone_pair(BookRow(0, False, (), ()), BookRow(0, True, (), ()), NO_FEE)
    assert set(found.drop("code").sum().row(0)) == {0}


def test_columns_that_are_not_best_prices_are_refused() -> None:
    assert native.speedups is not None
    sum_up = native.speedups.mine_outcomes
    one, byte = pack("q", 1), b"\1"
    visit = tuple(pack("q", each) for each in (0, 1, moments.STRIDE, moments.STRIDE + 9, 0, 0))
    best = ((one, one), (one,), (byte,), (pack("d", 0.25), pack("d", 0.5)), (b"",) * 3, (b"",), visit)
    terms = tuple(pack("q", each) for each in (7, 1, 0, 9, 0))

    def fees(*given_fees: bytes) -> object:
        return sum_up(0, *best, terms, (b"",) * 3, lambda prices: given_fees)

    assert fees(one * 2, one * 2) == (b"",) * 17
    for count in (1, 3):
        with pytest.raises(ValueError, match="schedules and prices"):
            fees(one * count, one * count)
    for schedule in (-1, 1):
        with pytest.raises(ValueError, match="schedules and prices"):
            sum_up(0, *best, (*terms[:4], pack("q", schedule)), (b"",) * 3, lambda prices: (one * 2, one * 2))
    with pytest.raises(ValueError, match="as many columns"):
        fees(one)
    with pytest.raises(ZeroDivisionError):
        sum_up(0, *best, terms, (b"",) * 3, lambda prices: 1 // 0)
    shorter: dict[int, tuple[bytes, ...]] = {0: (one,), 1: (one * 2,), 2: (b"",), 3: (one, b""), 5: (byte,), 6: (b"",)}
    for place, wrong in shorter.items():
        columns = [wrong if each == place else column for each, column in enumerate(best)]
        with pytest.raises(ValueError, match=r"best prices|as many columns|one length"):
            sum_up(0, *columns, terms, (b"",) * 3, lambda prices: (b"", b""))
