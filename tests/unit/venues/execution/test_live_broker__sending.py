"""What the live broker does around a submission: what it prepares late, and what it says that it has."""

from collections.abc import Callable
from pathlib import Path

import pytest

from predsurv.core.events import OrderAccepted, OrderRejected
from predsurv.core.num import MICROS
from tests.kit.fake_clob import FakeClob
from tests.kit.fake_kalshi import FakeKalshi
from tests.kit.live_orders import Fake, cancelled, live_broker, placed
from tests.kit.patience import until

Make = Callable[[], Fake]
VENUES = pytest.mark.parametrize("make", [FakeClob, FakeKalshi])


@VENUES
async def test_what_was_not_prepared_is_prepared_when_it_is_submitted(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = make()
    async with live_broker(tmp_path, fake, monkeypatch) as under_test:
        assert under_test.broker.prepare(cancelled(fake)) is None, "a cancel has nothing to sign"
        await under_test.broker.submit(placed(fake))
        await until(lambda: under_test.count(OrderAccepted) == 1)
        assert list(fake.posted.values()) == [1]


@VENUES
async def test_its_snapshot_is_what_the_venue_has_of_its_own_orders(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = make()
    async with live_broker(tmp_path, fake, monkeypatch) as under_test:
        await under_test.place(placed(fake))
        await until(lambda: under_test.count(OrderAccepted) == 1)
        fake.add_foreign()
        snapshot = await under_test.broker.snapshot()
        (order,) = snapshot.open_orders
        assert (order.client_order_id, order.order_id) == ("c1", next(iter(fake.orders)))
        assert snapshot.cash == 1_000 * MICROS


@VENUES
async def test_an_order_of_a_market_that_is_not_known_is_not_sent(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = make()
    async with live_broker(tmp_path, fake, monkeypatch) as under_test:
        monkeypatch.setattr(under_test.broker, "_market_of", lambda _: None)
        await under_test.place(placed(fake))
        await until(lambda: bool(under_test.told))
        (event,) = under_test.told
        assert isinstance(event, OrderRejected)
        assert event.reason == "not sent: not_ours: its market is not known"
        assert not fake.posted
