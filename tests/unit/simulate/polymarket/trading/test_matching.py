"""Accounts meet each other and the market in the same books, and every end of an order is told."""

from typing import Any

import pytest

from predsurv.core.num import MICROS
from predsurv.exchange.fault_script import ScriptedFault
from predsurv.simulate.polymarket.catalog import SimulatedMarket
from predsurv.simulate.polymarket.simulator import PolymarketSimulator
from tests.kit.desk_polymarket import DeskTrader, silent_simulator
from tests.kit.polymarket_trader import quoted

S = 1_000_000_000


@pytest.fixture
def simulator() -> PolymarketSimulator:
    return silent_simulator()


@pytest.fixture
def trader(simulator: PolymarketSimulator) -> DeskTrader:
    return DeskTrader(simulator)


def roomy(simulator: PolymarketSimulator) -> tuple[SimulatedMarket, int]:
    """Return a market with room inside its spread, and a price in there."""

    def fits(row: SimulatedMarket) -> bool:
        book = simulator.books[row.book]
        bid, ask = book.bids.best(), book.asks.best()
        return bid is not None and ask is not None and ask - bid >= 20_000

    row = quoted(simulator, fits)
    bid = simulator.books[row.book].bids.best()
    assert bid is not None
    return row, bid + 10_000


def order_of(trader: DeskTrader, order: str) -> dict[str, Any]:
    row: dict[str, Any] = trader.get(f"/data/order/{order}")
    return row


async def test_two_accounts_meet_and_both_are_told_the_same_trade(
    simulator: PolymarketSimulator, trader: DeskTrader
) -> None:
    other = DeskTrader(simulator, "0x" + "5a" * 32)
    row, price = roomy(simulator)
    resting = trader.placed(row, price=price, size=30_000_000)
    taken = other.place(row, 1, price=MICROS - price, size=20_000_000)
    assert (taken["status"], taken["takingAmount"]) == ("matched", "20")
    assert (order_of(trader, resting)["status"], order_of(trader, resting)["size_matched"]) == ("LIVE", "20")
    assert order_of(other, taken["orderID"])["status"] == "MATCHED"
    (mine,), (theirs,) = trader.get("/data/trades")["data"], other.get("/data/trades")["data"]
    assert mine["id"] == theirs["id"] == taken["tradeIDs"][0]
    assert (mine["trader_side"], theirs["trader_side"]) == ("MAKER", "TAKER")
    assert mine["maker_address"] == trader.api_key.address
    (part,) = theirs["maker_orders"]
    assert (part["order_id"], part["owner"]) == (resting, trader.api_key.owner.reveal())
    assert (part["asset_id"], part["matched_amount"]) == (row.tokens[0], "20")
    await simulator.advance(3 * S)
    shares = [
        each.get("/balance-allowance", asset_type="CONDITIONAL", token_id=row.tokens[outcome])["balance"]
        for each, outcome in ((trader, 0), (other, 1))
    ]
    assert shares == ["20000000", "20000000"]
    left = [int(each.get("/balance-allowance", asset_type="COLLATERAL")["balance"]) for each in (trader, other)]
    paid = [10_000 * MICROS - each for each in left]
    assert paid[0] == 20 * price, "a maker pays no fee"
    assert paid[1] >= 20 * (MICROS - price)


def test_a_resting_order_that_an_account_takes_whole_is_matched(
    simulator: PolymarketSimulator, trader: DeskTrader
) -> None:
    other = DeskTrader(simulator, "0x" + "5a" * 32)
    row, price = roomy(simulator)
    resting = trader.placed(row, price=price, size=10_000_000)
    taken = other.place(row, 1, price=MICROS - price, size=15_000_000)
    assert (taken["status"], taken["takingAmount"]) == ("matched", "10")
    assert order_of(trader, resting)["status"] == "MATCHED"
    rest = order_of(other, taken["orderID"])
    assert (rest["status"], rest["size_matched"], rest["original_size"]) == ("LIVE", "10", "15")


async def test_an_order_is_over_when_its_last_share_was_met_though_earlier_trades_failed(
    simulator: PolymarketSimulator, trader: DeskTrader
) -> None:
    """What failed is not matched, and is not in the book again either: nothing of such an order is left to trade."""
    other = DeskTrader(simulator, "0x" + "5a" * 32)
    row, price = roomy(simulator)
    resting = trader.placed(row, price=price, size=30_000_000)
    simulator.inject(ScriptedFault(0, "tradefail", S))
    other.place(row, 1, price=MICROS - price, size=20_000_000)
    await simulator.advance(10 * S)
    assert (order_of(trader, resting)["status"], order_of(trader, resting)["size_matched"]) == ("LIVE", "0")
    taken = other.place(row, 1, price=MICROS - price, size=25_000_000)
    assert taken["takingAmount"] == "10"
    assert (order_of(trader, resting)["status"], order_of(trader, resting)["size_matched"]) == ("MATCHED", "10")
    assert trader.get("/data/orders")["data"] == []


@pytest.mark.parametrize(
    ("size", "status"),
    [(10_000_000, "MATCHED"), (40_000_000, "CANCELED_FAK order was killed after a partial fill")],
)
def test_a_buy_that_only_takes_ends_with_what_it_found(
    simulator: PolymarketSimulator, trader: DeskTrader, size: int, status: str
) -> None:
    other = DeskTrader(simulator, "0x" + "5a" * 32)
    row, price = roomy(simulator)
    trader.placed(row, 1, price=MICROS - price, size=10_000_000)  # an offer of the first token at this price
    taken = other.place(row, price=price, size=size, tif="ioc")
    assert (taken["status"], taken["takingAmount"]) == ("matched", "10")
    assert order_of(other, taken["orderID"])["status"] == status
    assert other.get("/data/orders")["data"] == []


def test_dollars_buy_more_shares_where_the_offer_is_cheaper(simulator: PolymarketSimulator, trader: DeskTrader) -> None:
    other = DeskTrader(simulator, "0x" + "5a" * 32)
    row, price = roomy(simulator)
    trader.placed(row, 1, price=MICROS - price, size=1_000_000_000)
    limit = min(2 * price, 900_000)
    taken = other.place(row, price=limit, size=10_000_000, tif="ioc")
    bought = round(float(taken["takingAmount"]) * MICROS)
    assert bought > 10_000_000
    assert 0 <= 10 * limit - bought * price // MICROS < 100, "all but the last ten thousandth of a share"


def test_a_fill_or_kill_order_that_is_more_than_the_book_leaves_nothing(
    simulator: PolymarketSimulator, trader: DeskTrader
) -> None:
    other = DeskTrader(simulator, "0x" + "5a" * 32)
    row, price = roomy(simulator)
    resting = trader.placed(row, 1, price=MICROS - price, size=10_000_000)
    words = "order couldn't be fully filled. FOK orders are fully filled or killed."
    assert other.place(row, price=price, size=11_000_000, tif="fok")["error"] == words
    assert order_of(trader, resting)["size_matched"] == "0"
    assert other.place(row, price=price, size=10_000_000, tif="fok")["status"] == "matched"
    assert order_of(trader, resting)["status"] == "MATCHED"


async def test_an_order_ends_with_its_market(simulator: PolymarketSimulator, trader: DeskTrader) -> None:
    placed: dict[str, SimulatedMarket] = {}
    for row in simulator.catalog.rows:
        if row.book in simulator.books and row.market.tradable:
            tick = row.market.tick_size
            answer = trader.place(row, price=tick, size=int(row.market.min_order_size))
            if answer.get("success"):
                placed[answer["orderID"]] = row
    over: list[str] = []
    for _ in range(40):
        await simulator.advance(S)
        over = [order for order, row in placed.items() if row.is_closed]
        if over:
            break
    assert over, "no market ended"
    live = {each["id"] for each in trader.get("/data/orders")["data"]}
    assert live.isdisjoint(over)
    for order in over:
        assert order_of(trader, order)["status"].split("_")[0] in ("CANCELED", "MATCHED")


async def test_an_order_that_was_cancelled_does_not_end_again_at_its_time(
    simulator: PolymarketSimulator, trader: DeskTrader
) -> None:
    row, _ = roomy(simulator)
    expires = simulator.exchange.now + 130 * S
    order = trader.placed(row, price=20_000, size=10_000_000, tif="gtd", expires=expires)
    kept = trader.placed(row, price=20_000, size=10_000_000, tif="gtd", expires=expires)
    trader.ask("DELETE", "/order", {"orderID": order})
    await simulator.advance(132 * S)
    assert order_of(trader, order)["status"] == "CANCELED"
    assert order_of(trader, kept)["status"] == "CANCELED_order expired"
    ended = [each["payload"]["order_id"] for each in trader.get("/notifications")]
    assert ended == [order, kept], "each ended once"
