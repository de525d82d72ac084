"""The private channel: each loss holds orders back, and waits grow unless a connection lasted."""

import asyncio
from collections.abc import Collection, Mapping, Sequence

import pytest

from predsurv.core.errors import PermanentError, PredsurvError, TransientError
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.net import ws
from predsurv.net.clock import ManualClock
from predsurv.venues.account_reports import AccountReport, PositionReport
from predsurv.venues.execution.gateway import AccountChannel, AccountState
from predsurv.venues.execution.holds import Holds
from predsurv.venues.execution.user_channel import STABLE, PrivateChannel
from tests.kit.polymarket_orders import command

REFUSED = PermanentError("refused")


class ScriptedChannel:
    """Greets, says READY first, and reports as many positions as a frame has bytes."""

    url = "wss://venue.test"

    def __init__(self, keepalive: bytes | None) -> None:
        self._keepalive = keepalive

    def headers(self) -> Mapping[str, str] | None:
        return None

    def greeting(self) -> Sequence[bytes]:
        return (b"hello",)

    def keepalive(self) -> bytes | None:
        return self._keepalive

    def decode(self, frame: bytes, ts_recv: int) -> Sequence[AccountReport]:
        key = command().key
        return () if frame == b"READY" else [PositionReport(key, ts_recv, size) for size in frame]  # type: ignore[arg-type]

    def is_ready(self, frame: bytes) -> bool:
        return frame == b"READY"


class ScriptedReader:
    """Hands out channels."""

    def __init__(self, keepalive: bytes | None) -> None:
        self._keepalive = keepalive

    async def account(self, since: int, keys: Collection[InstrumentKey]) -> AccountState:
        raise NotImplementedError

    def channel(self) -> AccountChannel:
        return ScriptedChannel(self._keepalive)


class ScriptedSocket:
    """Receives batches of frames, then lasts for a while and is lost."""

    def __init__(self, clock: ManualClock, batches: list[list[bytes]], lasts: int) -> None:
        self._clock, self._batches, self._lasts = clock, batches, lasts
        self.sent: list[bytes] = []
        self.closed = self.is_deaf = False

    async def send(self, message: bytes) -> None:
        if self.is_deaf:
            raise TransientError("the connection was lost")
        self.sent.append(message)

    async def recv_many(self) -> Sequence[bytes]:
        await asyncio.sleep(0)
        if self._batches:
            return self._batches.pop(0)
        await self._clock.sleep(self._lasts)
        raise TransientError("the connection was lost")

    async def aclose(self) -> None:
        self.closed = True


class Line:
    """A private channel whose connections are a list; it ends when the venue refuses the account."""

    def __init__(self, patch: pytest.MonkeyPatch, keepalive: bytes | None = None) -> None:
        self.clock = ManualClock(jumps=True)
        self.connections: list[ScriptedSocket | PredsurvError] = []
        self.reports: list[AccountReport] = []
        self.opened = 0
        self.told: list[str] = []
        self.holds = Holds(VenueName("kalshi"), self.clock, lambda event: self.told.append(event.reason))
        self.channel = PrivateChannel(ScriptedReader(keepalive), self.holds, self.clock, lambda: 1.0)
        patch.setattr(ws, "connect", self._connect)

    def socket(self, *batches: list[bytes], lasts: int = 0) -> ScriptedSocket:
        made = ScriptedSocket(self.clock, list(batches), lasts)
        self.connections.append(made)
        return made

    async def run(self) -> None:
        self.connections.append(REFUSED)
        with pytest.raises(PermanentError, match="refused"):
            await self.channel.run(self.reports.append, self._on_open)

    def _on_open(self) -> None:
        self.opened += 1

    async def _connect(self, url: str, headers: Mapping[str, str] | None) -> ScriptedSocket:
        assert (url, headers) == (ScriptedChannel.url, None)
        found = self.connections.pop(0)
        if isinstance(found, PredsurvError):
            raise found
        return found


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    return Line(monkeypatch)


async def test_all_that_is_told_is_passed_on_and_each_connection_opens_once(line: Line) -> None:
    sockets = [line.socket([b"\x01", b"READY"], [b"\x02\x03", b"READY"]), line.socket([b"READY"])]
    await line.run()
    assert [each.size for each in line.reports if isinstance(each, PositionReport)] == [1, 2, 3]
    assert line.opened == 2
    assert [(each.sent, each.closed) for each in sockets] == [([b"hello"], True)] * 2


async def test_a_lost_channel_holds_orders_back_until_the_account_was_compared(line: Line) -> None:
    line.socket([b"READY"])
    line.socket([b"READY"])
    await line.run()
    assert line.told == ["its private channel is down"], "being open again is no comparison"
    assert line.holds.has("channel")


@pytest.mark.parametrize(("lasts", "grows"), [(0, True), (STABLE, False)])
async def test_waits_grow_unless_a_connection_lasted(lasts: int, grows: bool, line: Line) -> None:
    for _ in range(4):
        line.socket([b"READY"], lasts=lasts)
    await line.run()
    waits = [each for each in line.clock.slept if each not in (lasts, 0)]
    assert len(waits) == 4
    assert (waits[-1] > waits[0]) is grows


async def test_a_wait_that_the_venue_asks_for_is_kept(line: Line) -> None:
    line.connections.append(TransientError("busy", 90_000_000_000))
    await line.run()
    assert line.clock.slept[0] >= 90_000_000_000


async def test_a_sign_of_life_is_sent_with_the_greeting(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(monkeypatch, b"PING")
    socket = line.socket([b"READY"], [b"\x01"])
    await line.run()
    assert socket.sent[:2] == [b"hello", b"PING"]


async def test_a_connection_that_takes_no_greeting_is_closed_and_tried_again(line: Line) -> None:
    deaf, second = line.socket(), line.socket([b"READY"])
    deaf.is_deaf = True
    await line.run()
    assert (deaf.closed, line.opened, second.sent) == (True, 1, [b"hello"])
