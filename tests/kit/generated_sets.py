"""Sets of outcomes that hypothesis makes, around the edge of two hours."""

from hypothesis import strategies as st

from predsurv.core.market import NO_FEE, FeeSchedule
from tests.kit.generated_tapes import covered, levels, moments
from tests.kit.mined_tapes import HOUR, BookRow
from tests.kit.outcome_tapes import Leg, OutcomeTape, Window

FEES = (NO_FEE, FeeSchedule("kalshi", 70_000), FeeSchedule("polymarket", 40_000, 2))


@st.composite
def books(draw: st.DrawFn, around: int) -> BookRow:
    """A book around a price in cents, now and then crossed, one-sided, empty or untrusted."""
    bid = draw(st.integers(around - 4, around + 4))
    ask = bid + draw(st.sampled_from([1, 1, 2, 3, -1, 0]))
    return BookRow(draw(moments), draw(st.integers(0, 11)) > 0, draw(levels(bid, -1)), draw(levels(ask, 1)))


@st.composite
def windows(draw: st.DrawFn) -> tuple[Window, ...]:
    """All the time, or up to two times of trading at two fees."""
    if draw(st.booleans()):
        return (Window(0, 2 * HOUR, draw(st.sampled_from(FEES))),)
    first, second, third = sorted(draw(st.tuples(moments, moments, moments)))
    return (Window(first, second, draw(st.sampled_from(FEES))), Window(second, third, draw(st.sampled_from(FEES))))


@st.composite
def sets(draw: st.DrawFn) -> OutcomeTape:
    """Two or three outcomes whose prices add up to about a dollar."""
    legs = draw(st.integers(2, 3))
    rows = st.lists(books(100 // legs), max_size=12).map(lambda found: tuple(sorted(found, key=lambda row: row.ts)))
    each = st.builds(Leg, rows, covered(), windows())
    return OutcomeTape(tuple(draw(each) for _ in range(legs)), draw(st.booleans()))
