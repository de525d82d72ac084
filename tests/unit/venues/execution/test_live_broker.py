"""The live broker against both venues on a socket: each order is sent once, and its fate is known in the end."""

from collections.abc import Callable
from pathlib import Path

import pytest

from predsurv.core.errors import BrokenInvariant
from predsurv.core.events import Fill, FillConfirmed, FillFailed, OrderAccepted, OrderCancelled, OrderRejected
from predsurv.core.num import MICROS
from tests.kit.fake_clob import FakeClob
from tests.kit.fake_kalshi import FakeKalshi
from tests.kit.live_orders import Fake, cancelled, live_broker, placed
from tests.kit.patience import until

Make = Callable[[], Fake]
VENUES = pytest.mark.parametrize("make", [FakeClob, FakeKalshi])


@VENUES
async def test_an_order_that_rests_is_accepted_under_the_venues_id(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = make()
    async with live_broker(tmp_path, fake, monkeypatch) as under_test:
        known = under_test.broker.prepare(placed(fake))
        await under_test.broker.submit(placed(fake))
        await until(lambda: bool(under_test.told))
        (event,) = under_test.told
        assert isinstance(event, OrderAccepted)
        assert [event.order_id] == [each.id for each in fake.open()]
        assert known in (event.order_id, None)


@pytest.mark.parametrize(
    ("make", "fault", "told"),
    [
        (FakeClob, "ok", ["OrderAccepted"]),
        (FakeClob, "lost", ["OrderUnknown", "OrderAccepted"]),
        (FakeClob, "500taken", ["OrderUnknown", "OrderAccepted"]),
        (FakeClob, "duplicated", ["OrderUnknown", "OrderAccepted"]),
        (FakeClob, "dropped", ["OrderUnknown", "OrderRejected"]),
        (FakeClob, "500", ["OrderUnknown", "OrderRejected"]),
        (FakeClob, "503", ["OrderRejected"]),
        (FakeClob, "429", ["OrderRejected"]),
        (FakeKalshi, "ok", ["OrderAccepted"]),
        (FakeKalshi, "lost", ["OrderUnknown", "OrderAccepted"]),
        (FakeKalshi, "500taken", ["OrderUnknown", "OrderAccepted"]),
        (FakeKalshi, "dropped", ["OrderUnknown", "OrderRejected"]),
    ],
)
async def test_whatever_is_answered_an_order_is_sent_once_and_its_fate_found_out(
    make: Make, fault: str, told: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = make()
    fake.faults.append(fault)
    async with live_broker(tmp_path, fake, monkeypatch) as under_test:
        await under_test.place(placed(fake))
        await until(lambda: len(under_test.kinds()) >= len(told) and not under_test.broker.following.orders.asked)
        assert under_test.kinds() == told
        assert list(fake.posted.values()) == [1]
        assert len(fake.open()) == (told[-1] == "OrderAccepted")


@VENUES
async def test_an_order_that_takes_ends_after_its_fills(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = make()
    if isinstance(fake, FakeClob):
        fake.meet = lambda order: [(order.price, 4 * MICROS)]
    else:
        fake.meets.append(4 * MICROS)
    async with live_broker(tmp_path, fake, monkeypatch) as under_test:
        await under_test.place(placed(fake, tif="ioc"))
        await until(lambda: under_test.count(OrderCancelled) == 1)
        (fill, *_) = [each for each in under_test.told if isinstance(each, Fill)]
        assert (fill.size, fill.price) == (4 * MICROS, 560_000)
        assert under_test.kinds()[-1] == "OrderCancelled"
        assert under_test.count(FillConfirmed) == isinstance(fake, FakeClob)


@VENUES
async def test_what_rests_is_cancelled_and_what_traded_before_is_told(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = make()
    async with live_broker(tmp_path, fake, monkeypatch) as under_test:
        await under_test.place(placed(fake))
        await until(lambda: under_test.count(OrderAccepted) == 1)
        fake.fill_first(3 * MICROS)
        await under_test.broker.submit(cancelled(fake))
        await until(lambda: under_test.count(OrderCancelled) == 1)
        assert sum(each.size for each in under_test.told if isinstance(each, Fill)) == 3 * MICROS
        assert not fake.open()


@VENUES
async def test_a_cancel_waits_until_the_order_has_an_id(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = make()
    fake.faults.append("lost")
    async with live_broker(tmp_path, fake, monkeypatch) as under_test:
        await under_test.place(placed(fake))
        await under_test.broker.submit(cancelled(fake))
        await until(lambda: under_test.count(OrderCancelled) == 1)
        assert not fake.open()


@VENUES
async def test_a_cancel_of_what_is_over_is_refused(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = make()
    fake.faults.append("dropped")
    async with live_broker(tmp_path, fake, monkeypatch) as under_test:
        await under_test.broker.submit(cancelled(fake, "never"))
        await under_test.place(placed(fake))
        await until(lambda: under_test.count(OrderRejected) == 1)
        await under_test.broker.submit(cancelled(fake))
        await until(lambda: "CancelRejected" in under_test.kinds())
        assert under_test.kinds("never") == ["CancelRejected"]


async def test_a_trade_that_fails_on_chain_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeClob(meet=lambda order: [(order.price, order.size)])
    fake.settle_at_once = False
    async with live_broker(tmp_path, fake, monkeypatch) as under_test:
        await under_test.place(placed(fake, tif="ioc"))
        await until(lambda: under_test.count(Fill) >= 1)
        assert all(each.unconfirmed for each in under_test.told if isinstance(each, Fill))
        fake.settle(fake.trades[0], "FAILED")
        for report in await under_test.broker.account.reader.trades(0):  # type: ignore[attr-defined]
            under_test.broker.following.absorb(report)
        await until(lambda: under_test.count(FillFailed) == 1)


@VENUES
async def test_what_cannot_be_made_is_not_sent(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = make()
    async with live_broker(tmp_path, fake, monkeypatch) as under_test:
        await under_test.place(placed(fake, price=555_555))
        await until(lambda: bool(under_test.told))
        (event,) = under_test.told
        assert isinstance(event, OrderRejected)
        assert "off_grid" in event.reason
        assert not fake.posted


@VENUES
async def test_an_order_is_never_submitted_twice(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = make()
    async with live_broker(tmp_path, fake, monkeypatch) as under_test:
        await under_test.place(placed(fake))
        with pytest.raises(BrokenInvariant, match="twice"):
            await under_test.broker.submit(placed(fake))


@VENUES
async def test_nothing_is_placed_while_something_holds(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = make()
    async with live_broker(tmp_path, fake, monkeypatch) as under_test:
        under_test.broker.holds.add("channel", "its private channel is down")
        await under_test.place(placed(fake, "held"))
        under_test.broker.holds.lift("channel")
        await until(lambda: under_test.kinds("held") == ["OrderRejected"])
        monkeypatch.setattr("predsurv.venues.execution.holds.STOOD_STILL", -1)
        await under_test.place(placed(fake, "stopped"))
        await until(lambda: under_test.kinds("stopped") == ["OrderRejected"])
        assert not fake.posted


async def test_a_refused_key_halts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeClob()
    async with live_broker(tmp_path, fake, monkeypatch) as under_test:
        monkeypatch.setattr(fake, "_is_proved", lambda _: False)
        await under_test.place(placed(fake))
        await until(lambda: under_test.kinds() == ["OrderRejected"])
        assert "401" in under_test.halts[0]


async def test_an_order_in_no_is_an_order_in_yes_and_its_fills_are_told_in_no(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeKalshi()
    fake.meets.append(10 * MICROS)
    async with live_broker(tmp_path, fake, monkeypatch) as under_test:
        await under_test.place(placed(fake, outcome=1, tif="ioc"))
        await until(lambda: under_test.count(Fill) == 1)
        (fill,) = [each for each in under_test.told if isinstance(each, Fill)]
        assert (fill.key.instrument_id[-3:], fill.side, fill.price) == (":no", "buy", 560_000)
        assert (fake.bodies[0]["side"], fake.bodies[0]["price"]) == ("ask", "0.4400")


async def test_what_rests_on_kalshi_has_an_end_that_is_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeKalshi()
    async with live_broker(tmp_path, fake, monkeypatch) as under_test:
        await under_test.place(placed(fake))
        await until(lambda: under_test.count(OrderAccepted) == 1)
        first = fake.bodies[0]["expiration_time"]
        gateway, orders = under_test.broker.account.gateway, under_test.broker.following.orders
        await gateway.stay_alive([each.order for each in orders.live()])
        assert not fake.amended
        monkeypatch.setattr("predsurv.venues.kalshi.execution.gateway.RENEW_BELOW", 10**12)
        monkeypatch.setattr("predsurv.venues.kalshi.execution.gateway.LIFE", 25 * 10**9)
        await gateway.stay_alive([each.order for each in orders.live()])
        assert fake.amended[0]["expiration_time"] > first
        assert (fake.amended[0]["price"], fake.amended[0]["count"]) == ("0.5600", "10.00")
