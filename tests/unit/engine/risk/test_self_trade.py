"""An account does not trade with itself: purchases are refused, and sales take their own order out of the way."""

from typing import Any

import pytest

from predsurv.core.ids import ClientOrderId, InstrumentKey
from predsurv.core.num import MICROS, Money
from predsurv.core.orders import CancelIntent, CancelOrder, Intent
from predsurv.engine.risk.gate import RiskGate
from tests.kit.trading_samples import LIMITS, ME, NO, START, YES, World, book, intent, place


class Desk:
    """A gate with the book at 0.49 and 0.51, shares of both outcomes, and orders that rest."""

    def __init__(self, **resting: Any) -> None:
        self.world = World().show(book())
        for key in (YES, NO):
            self.world.account.portfolio.positions.put(ME, key, intent(size=100).size, Money(MICROS))
        self.world.account.place(place("rest", tif="gtc", **resting), START)
        self.gate = RiskGate("run", LIMITS, self.world.risk, self.world.account)

    def ask(self, *wanted: Intent | CancelIntent) -> tuple[list[str], list[str]]:
        decisions, refused = self.gate.evaluate(wanted)
        said = [
            f"cancel {each.approved.command.client_order_id}"
            if isinstance(each.approved.command, CancelOrder)
            else "place"
            for each in decisions
        ]
        return said, [each.reason for each in refused]


@pytest.mark.parametrize(
    ("resting", "key", "price", "crosses"),
    [
        ({"side": "sell", "price": 51}, YES, 51, True),
        ({"side": "sell", "price": 52}, YES, 51, False),
        ({"side": "buy", "price": 49, "key": NO}, YES, 51, True),  # a bid for the other outcome offers this one
        ({"side": "buy", "price": 48, "key": NO}, YES, 51, False),
        ({"side": "buy", "price": 51}, YES, 51, False),
    ],
)
def test_a_purchase_that_would_trade_with_an_own_order_is_refused(
    resting: dict[str, Any], key: InstrumentKey, price: int, crosses: bool
) -> None:
    said, refused = Desk(**resting).ask(intent(key=key, price=price))
    assert (said, refused) == (([], ["self_trade"]) if crosses else (["place"], []))


@pytest.mark.parametrize("resting", [{"side": "buy", "price": 49}, {"side": "sell", "price": 51, "key": NO}])
def test_a_sale_is_never_refused_for_it_and_the_own_order_is_cancelled_first(resting: dict[str, Any]) -> None:
    assert Desk(**resting).ask(intent(side="sell", price=49)) == (["cancel rest", "place"], [])


def test_an_order_that_only_takes_is_in_nobodys_way() -> None:
    desk = Desk(side="sell", price=60)
    desk.world.account.place(place("ioc", side="sell", price=51, tif="ioc"), START)
    assert desk.ask(intent()) == (["place"], [])


def test_an_order_that_is_being_cancelled_is_gone_until_the_cancel_is_rejected() -> None:
    desk = Desk(side="sell", price=51)
    gone = CancelIntent(ME, ClientOrderId("rest"), "test")
    assert desk.ask(gone, intent()) == (["cancel rest", "place"], [])
    desk.world.risk.self_trades.on_cancel_rejected(ClientOrderId("rest"))  # as the engine does when it was rejected
    assert desk.ask(intent()) == ([], ["self_trade"])


def test_two_orders_of_one_step_do_not_trade_with_each_other() -> None:
    desk = Desk(side="sell", price=60)
    both = (intent(price=51, group="g", tif="gtc"), intent(side="sell", price=51, group="g", tif="gtc"))
    assert desk.ask(*both) == ([], ["group", "self_trade"])
