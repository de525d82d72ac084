"""The price that two amounts mean is the limit they were made for, whatever was rounded."""

from typing import Literal

from hypothesis import assume, given
from hypothesis import strategies as st

from predsurv.core.num import MICROS, Price, Size
from predsurv.simulate.polymarket.trading.order_entry import stated_price
from predsurv.venues.polymarket.orders.amounts import TICK_SIZES, OrderAmounts, order_amounts
from predsurv.venues.polymarket.orders.typed_data import OrderFields


@given(
    st.sampled_from(sorted(TICK_SIZES)),
    st.integers(1, 9_999),
    st.integers(1, 100_000_000_000),
    st.sampled_from(("buy", "sell")),
    st.sampled_from(("gtc", "ioc")),
)
def test_every_order_that_can_be_signed_states_its_limit(
    tick: int, step: int, size: int, side: Literal["buy", "sell"], tif: Literal["gtc", "ioc"]
) -> None:
    price = tick * (1 + step % (MICROS // tick - 1))
    amounts = order_amounts(side, Price(price), Size(size), tick_size=Price(tick), tif=tif)
    assume(isinstance(amounts, OrderAmounts))
    assert isinstance(amounts, OrderAmounts)
    fields = OrderFields(1, bytes(20), bytes(20), 1, amounts.maker, amounts.taker, 0 if side == "buy" else 1, 0, 1)
    assert stated_price(fields) == price
