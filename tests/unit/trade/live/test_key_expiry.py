"""The end of a key: told a day before, refused and halted before it comes, and never a reason to fail by itself."""

import asyncio
import logging

import pytest

from predsurv.core.errors import SafetyError, TransientError
from predsurv.core.ids import VenueName
from predsurv.net.clock import ManualClock
from predsurv.trade.live.key_expiry import ASK_EVERY, STOP_BEFORE, WARN_BEFORE, KeyExpiry

HOUR = 3_600 * 10**9
KALSHI = VenueName("kalshi")


class Key:
    """A key that expires at ``at``; where that is an error, it cannot be asked."""

    def __init__(self, clock: ManualClock, at: int | Exception | None) -> None:
        self.at, self.halts = at, list[str]()
        self.expiry = KeyExpiry(KALSHI, self._read, clock, self.halts.append)

    async def _read(self) -> int | None:
        if isinstance(self.at, Exception):
            raise self.at
        return self.at


async def test_a_key_without_an_end_and_one_that_has_long_are_not_spoken_of(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    for at in (None, clock.now() + WARN_BEFORE + 1):
        await Key(clock, at).expiry.check()
    assert not caplog.records


async def test_an_end_within_a_day_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    key = Key(clock, clock.now() + 5 * HOUR)
    with caplog.at_level(logging.WARNING):
        await key.expiry.check()
        await key.expiry.check()
    assert [each.getMessage() for each in caplog.records] == ["kalshi: the key stops to trade in 5 h 0 min"]


@pytest.mark.parametrize("left", [STOP_BEFORE, 0, -HOUR])
async def test_a_key_that_is_about_to_expire_is_refused(left: int) -> None:
    clock = ManualClock()
    with pytest.raises(SafetyError, match=r"the key stops to trade in \d+ minutes; renew your location there"):
        await Key(clock, clock.now() + left).expiry.check()


async def test_trading_halts_before_the_end_and_goes_on_while_nobody_answers() -> None:
    clock = ManualClock(jumps=True)
    key = Key(clock, TransientError("down"))
    running = asyncio.create_task(key.expiry.run())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not key.halts
    assert not running.done()
    key.at = clock.now() + STOP_BEFORE + ASK_EVERY // 2
    while not key.halts:  # noqa: ASYNC110 - the clock jumps
        await asyncio.sleep(0)
    assert key.halts[0].startswith("kalshi: the key stops to trade in ")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
