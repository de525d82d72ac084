"""What is remembered of trades: both implementations say the same of any sequence of tellings."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, OrderSide, TradeId
from predsurv.core.native import speedups
from predsurv.core.num import Price, Size
from predsurv.engine.fills.told_trades import PythonToldTrades, ToldTrades, TradeIdentity
from tests.kit.trading_samples import NO, YES, V

ECHO_AFTER = 3
OTHER = InstrumentKey(V, MarketId("other"), InstrumentId("yes"))


class Telling(NamedTuple):
    """A trade on the first or second outcome; ``age``: how long (ns) after the one before."""

    trade_id: str | None
    key: InstrumentKey
    price: int
    taker: OrderSide | None
    ts_venue: int | None
    age: int


TELLINGS = st.lists(
    st.builds(
        Telling,
        st.sampled_from((None, "a", "b", "c", "d")),
        st.sampled_from((YES, NO, OTHER)),
        st.sampled_from((1, 2, 3)),
        st.sampled_from(("buy", "sell", None)),
        st.sampled_from((None, 0, 1)),
        st.integers(0, ECHO_AFTER + 1),
    ),
    max_size=80,
)


def said(told: PythonToldTrades, tellings: list[Telling]) -> list[tuple[bool, bool]]:
    """Return what was said of each: whether its id was known, and whether it was an echo."""
    ts, found = 0, []
    for each in tellings:
        ts += each.age
        copied = InstrumentKey(each.key.venue, each.key.market_id, each.key.instrument_id)
        known = each.trade_id is not None and told.knows(copied, TradeId(each.trade_id), each.ts_venue)
        primary = YES if each.key == NO else each.key
        identity = TradeIdentity(primary, Price(each.price), Size(7), each.taker, each.ts_venue)
        found.append((known, told.is_echo(identity, copied, ts)))
    return found


@pytest.mark.skipif(speedups is None, reason="nothing is compiled")
@given(TELLINGS, st.integers(1, 5), st.integers(1, 5))
def test_compiled_and_python_say_the_same(tellings: list[Telling], ids: int, identities: int) -> None:
    assert speedups is not None
    native = speedups.NativeToldTrades(ids, identities, ECHO_AFTER)
    assert said(native, tellings) == said(PythonToldTrades(ids, identities, ECHO_AFTER), tellings)


@pytest.mark.skipif(speedups is None, reason="nothing is compiled")
def test_the_same_of_more_than_are_remembered() -> None:
    assert speedups is not None
    tellings = [Telling(f"t{n % 700}", (YES, NO)[n // 350 % 2], n % 350, "buy", n % 2, 0) for n in range(3_000)]
    for kept in (100, 500, 4_000):
        native = speedups.NativeToldTrades(kept, kept, ECHO_AFTER)
        answers = said(native, tellings)
        assert answers == said(PythonToldTrades(kept, kept, ECHO_AFTER), tellings)
        assert any(known for known, _ in answers) == (kept > 100)
        assert any(echo for _, echo in answers) == (kept > 100)


def test_times_are_numbers_or_nothing() -> None:
    told = ToldTrades(10, 10, ECHO_AFTER)
    assert not told.knows(YES, TradeId("a"), None)
    assert told.knows(YES, TradeId("a"), None)
    assert not told.knows(YES, TradeId("a"), 0)
    if speedups is not None:
        with pytest.raises(TypeError):
            told.knows(YES, TradeId("a"), "1")  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            told.knows(YES, TradeId("a"))  # type: ignore[call-arg]
        with pytest.raises(TypeError):
            told.is_echo(TradeIdentity(YES, Price(1), Size(1), None, "1"), YES, 0)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            told.knows([], TradeId("a"), 0)  # type: ignore[arg-type]
