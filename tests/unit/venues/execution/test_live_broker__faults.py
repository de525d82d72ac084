"""Many orders while half of the answers are lost or wrong: each is sent once, and the venue's orders are ours."""

import random
from pathlib import Path

import pytest

from tests.kit.fake_clob import FakeClob
from tests.kit.fake_kalshi import FakeKalshi
from tests.kit.live_orders import Fake, live_broker, placed
from tests.kit.patience import until

ORDERS = 60
FAULTS = {
    FakeClob: ("ok", "lost", "500taken", "duplicated", "dropped", "500"),
    FakeKalshi: ("ok", "lost", "500taken", "dropped"),
}


@pytest.mark.parametrize("make", [FakeClob, FakeKalshi])
async def test_whatever_is_lost_no_order_is_sent_twice_and_none_is_forgotten(
    make: type[Fake], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, chance = make(), random.Random(7)
    fake.faults.extend(chance.choice(FAULTS[make]) for _ in range(ORDERS))
    async with live_broker(tmp_path, fake, monkeypatch) as under_test:
        for number in range(ORDERS):
            await under_test.place(placed(fake, f"c{number}"))
        orders = under_test.broker.following.orders
        await until(lambda: not orders.asked and all(each.placed.is_set() for each in orders.live()))
        assert max(fake.posted.values()) == 1
        assert len(fake.posted) == ORDERS
        assert {each.order.order_id for each in orders.live()} == {each.id for each in fake.open()}
        assert not any(each.is_unknown for each in orders.live())
