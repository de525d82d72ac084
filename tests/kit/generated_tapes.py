"""Tapes that hypothesis makes: books that are crossed, one-sided or untrusted, around the edge of two hours."""

from hypothesis import strategies as st

from tests.kit.mined_tapes import HOUR, BookRow, MinedTape, S, TradeRow

MS = S // 1_000
moments = st.integers(-150_000, 150_000).map(lambda ms: HOUR + ms * MS)  # around the edge of two hours
sizes = st.integers(1, 400).map(lambda tenths: tenths * 5.0)
lone = st.lists(st.integers(1, 12), min_size=0, max_size=3, unique=True)


@st.composite
def levels(draw: st.DrawFn, top: int, side: int) -> tuple[tuple[float, float], ...]:
    """Levels of a side from ``top`` cents on, away from the other side; sometimes none."""
    steps = sorted(draw(lone))
    prices = [top + side * step for step in [0, *steps]][:3]
    kept = [price / 100 for price in prices if 1 <= price <= 99]
    return tuple((price, draw(sizes)) for price in kept) if draw(st.integers(0, 9)) else ()


@st.composite
def book_rows(draw: st.DrawFn) -> BookRow:
    """A book around 40 to 60 cents, now and then crossed, one-sided or untrusted."""
    bid = draw(st.integers(40, 60))
    ask = bid + draw(st.sampled_from([1, 1, 2, 3, 8, -1, 0]))
    trusted = draw(st.integers(0, 11)) > 0
    return BookRow(draw(moments), trusted, draw(levels(bid, -1)), draw(levels(ask, 1)))


trades = st.builds(
    TradeRow, moments, st.integers(38, 64).map(lambda cents: cents / 100), sizes, st.sampled_from([1, 1, -1, -1, None])
)
changed = st.tuples(moments, st.one_of(st.none(), st.integers(-5, 3_000).map(lambda ms: ms * MS)))


@st.composite
def covered(draw: st.DrawFn) -> tuple[tuple[int, int], ...]:
    """One to three stretches of covered time, which may overlap or touch."""
    pairs = draw(st.lists(st.tuples(moments, moments), min_size=0, max_size=2))
    whole = (HOUR - 150 * S, HOUR + 150 * S)
    found = [(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]]
    return tuple(found) if found else (whole,)


tapes = st.builds(
    MinedTape,
    st.lists(book_rows(), max_size=25).map(lambda rows: tuple(sorted(rows, key=lambda row: row.ts))),
    covered(),
    st.lists(trades, max_size=8).map(tuple),
    st.lists(changed, max_size=12).map(tuple),
    st.just(2),
)
