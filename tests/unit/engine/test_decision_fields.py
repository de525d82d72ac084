"""Fields of decisions that a strategy's code made of another type are named, and every sound decision passes."""

from typing import Any, cast

import pytest
from msgspec.structs import replace

from predsurv.core.ids import ClientOrderId
from predsurv.core.orders import CancelIntent, Decision, Quotes
from predsurv.engine.decision_fields import wrong_field
from tests.kit.trading_samples import ME, START, YES, cents, intent, shares


@pytest.mark.parametrize(
    "decision",
    [
        intent(),
        replace(intent(), tif="gtd", expires=START, group="basket"),
        intent(price=0),  # risk refuses it, and the run goes on
        CancelIntent(ME, ClientOrderId("o1"), "test"),
        Quotes(ME, YES),
        Quotes(ME, YES, bid=(cents(40), shares(1)), ask=(cents(60), shares(1))),
    ],
)
def test_nothing_is_wrong_with_a_sound_decision(decision: Decision) -> None:
    assert wrong_field(decision) is None


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (replace(intent(), price=cast(Any, 0.5)), "price is 0.5 (float), not whole millionths"),
        (replace(intent(), size=cast(Any, 5.0)), "size is 5.0 (float), not whole millionths"),
        (replace(intent(), size=cast(Any, True)), "size is True (bool)"),
        (replace(intent(), size=cast(Any, None)), "size is None"),
        (replace(intent(), side=cast(Any, "BUY")), "side is 'BUY' (str), not buy or sell"),
        (replace(intent(), side=cast(Any, ["buy"])), "side is ['buy'] (list)"),
        (replace(intent(), tif=cast(Any, "day")), "tif is 'day' (str), not gtc or gtd or ioc or fok"),
        (replace(intent(), key=cast(Any, "m-yes")), "key is 'm-yes' (str), not an InstrumentKey"),
        (replace(intent(), expires=cast(Any, 1e18)), "expires is 1e+18 (float), not whole ns UTC"),
        (replace(intent(), group=cast(Any, 7)), "group is 7 (int)"),
        (replace(intent(), signal=cast(Any, None)), "signal is None"),
        (Quotes(ME, YES, bid=(cents(40), cast(Any, 2.5))), "size of the bid is 2.5 (float)"),
        (Quotes(ME, YES, ask=cast(Any, [cents(40), shares(1)])), "ask is [400000, 1000000] (list)"),
        (CancelIntent(ME, cast(Any, 7), "test"), "client_order_id is 7 (int), not an order's id"),
    ],
)
def test_a_field_of_another_type_is_named_with_what_it_is_and_should_be(decision: Any, said: str) -> None:
    assert said in (wrong_field(decision) or "")
