"""The account's cash and positions are what fills make of them, whichever way YES and NO are closed."""

from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.ids import Side
from predsurv.core.num import MICROS, Price
from predsurv.exchange.exchange import Exchange
from predsurv.simulate.kalshi.markets import KalshiMarkets
from predsurv.simulate.kalshi.trading.account import KalshiAccount
from predsurv.simulate.kalshi.trading.orders import KalshiOrder, OrderRequest

CASH = 1_000_000_000
FILLS = st.lists(
    st.tuples(st.sampled_from(("bid", "ask")), st.integers(1, 99), st.integers(1, 5_000), st.booleans()), max_size=12
)


def one_market() -> tuple[KalshiMarkets, Exchange, str]:
    exchange, markets = Exchange(1, 1, 1), KalshiMarkets()
    markets.add(exchange.markets()[0])
    return markets, exchange, next(iter(markets.listed))


MARKETS, EXCHANGE, TICKER = one_market()


def order(side: Side, price: int, count: int) -> KalshiOrder:
    instrument = EXCHANGE.directory.listing(MARKETS.instruments[TICKER])
    assert instrument is not None
    request = OrderRequest(TICKER, side, count, Price(price), "immediate_or_cancel", "maker")
    return KalshiOrder("an id", request, MARKETS.listed[TICKER], instrument, 1)


@given(FILLS, st.sampled_from((0, MICROS // 2, MICROS)))
def test_what_is_paid_out_is_what_was_paid_and_won(fills: list[tuple[Side, int, int, bool]], payout: int) -> None:
    account = KalshiAccount(CASH)
    net, spent, fees = 0, 0, 0
    for side, cents, count, is_taker in fills:
        price = cents * 10_000
        made = account.fill(order(side, price, count), "t", price, count, is_taker=is_taker, ts=1)
        sign = 1 if side == "bid" else -1
        net += sign * count
        spent += sign * price * count // 100
        fees += made.fee
        assert account.position(TICKER) == net == made.position
        position = account.positions[TICKER]
        # A NO is a dollar less a YES: what a short position has locked up comes on top.
        assert account.cash == CASH - spent - fees - max(-net, 0) * MICROS // 100
        assert CASH - fees + position.realized == account.cash + position.cost
        assert 0 <= position.cost <= abs(net) * MICROS // 100
    account.settle(TICKER, "an event", "scalar", payout, 2)
    assert account.cash == CASH - spent - fees + net * payout // 100


@given(st.sampled_from(("bid", "ask")), st.integers(1, 99), st.integers(1, 10_000))
def test_an_order_is_payable_as_long_as_its_cost_is_there(side: Side, cents: int, count: int) -> None:
    price = cents * 10_000
    request = order(side, price, count).request
    cost = (price if side == "bid" else MICROS - price) * count // 100
    assert KalshiAccount(cost).can_pay(request, count)
    assert not KalshiAccount(cost - 1).can_pay(request, count)


@given(st.sampled_from(("bid", "ask")), st.integers(1, 99), st.integers(1, 10_000))
def test_closing_what_is_held_needs_no_money(side: Side, cents: int, count: int) -> None:
    account = KalshiAccount(CASH)
    opposite: Side = "ask" if side == "bid" else "bid"
    account.fill(order(opposite, 500_000, count), "t", 500_000, count, is_taker=False, ts=1)
    account.cash = 0
    closing = order(side, cents * 10_000, count).request
    assert account.can_pay(closing, count)
    assert not account.can_pay(closing._replace(contracts=count + 1), count + 1)
