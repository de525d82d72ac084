"""``python -m benchmarks.order_path [--orders N] [--warm] [--httpx]``: from an intent to its order on the socket.

The parts of a live run on Polymarket that an order passes after it was decided, one order after the other, over
loopback to a server in another process: amounts, hash and signature; the journal's write; its sync; headers with their
HMAC, the request, and its write to a connection that is open. All but the sync is ours. It is compared with the least
that the disk takes, in turns: one block of a file synced that has all its blocks. While the disk is waited for, other
programs take the caches; ``--warm`` leaves syncs and pauses out, as if core and disk were one's own. ``--httpx`` sends
by a client of httpx.
``benchmarks.live`` measures the same in a whole run.
"""

import argparse
import asyncio
import multiprocessing
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing, suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, NamedTuple

import httpx

from benchmarks import figures, rounds
from benchmarks.figures import Comparison
from benchmarks.orders import Ours
from benchmarks.passed import DiskFloor, Passed, loop_beside, noting_writes, now, quantiles, since, together
from predsurv.core.orders import Approved
from predsurv.engine.risk.gate import GateDecision
from predsurv.net.clock import SystemClock, system_random
from predsurv.net.http import Http
from predsurv.trade.journal import CommandSent, OrderJournal, OrderNamed
from predsurv.venues.polymarket.orders.requests import place_order
from predsurv.venues.polymarket.orders.signing import SignedOrder

GOAL_US: Final = 250
PAUSE_S: Final = 1 / 30
WARM_UP: Final = 50
_ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class _Order(NamedTuple):
    """What the parts of one order took."""

    prepared: Passed
    stored: Passed
    synced: Passed
    sent: Passed
    beside: Passed

    @property
    def ours(self) -> Passed:
        """All but the wait for the disk."""
        return together((self.prepared, self.stored, self.sent))


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
            writer.write(_ANSWER)
    writer.close()


def _serve(pipe: Connection) -> None:
    """Answer every request until the other end of ``pipe`` is closed."""

    async def run() -> None:
        server = await asyncio.start_server(_answer, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await asyncio.to_thread(pipe.poll, None)
        server.close()

    asyncio.run(run())


async def _send(http: Http, folder: Path, url: str, orders: int, floor: DiskFloor | None) -> list[_Order]:
    clock, ours, found, written = SystemClock(), Ours(), list[_Order](), list[Passed]()
    with closing(OrderJournal(folder / "journal.db")) as journal, noting_writes(lambda _: written.append(now())):
        for number in range(1, orders + WARM_UP + 1):
            if floor is not None:
                floor.sync_one()
                await asyncio.sleep(PAUSE_S)
            began = now()
            order = ours.signer.order(ours.command, ours.terms, now=clock.now(), salt=number)
            if not isinstance(order, SignedOrder):
                raise TypeError(order)
            request = place_order(order, ours.signer, ours.api_key.owner)
            prepared = now()
            journal.append(CommandSent(GateDecision(Approved(clock.now(), ours.command), None)))
            journal.append(OrderNamed(ours.command.client_order_id, order.order_id))
            journal.flush()
            stored = now()
            if floor is not None:
                await asyncio.to_thread(journal.sync)
            synced = now()
            written.clear()
            sign = partial(ours.api_key.headers, request, timestamp=clock.now() // 10**9)
            await http.exchange(request.method, url, body=request.body or b"", sign=sign)
            parts = (since(began, prepared), since(prepared, stored), since(stored, synced), since(synced, written[-1]))
            found.append(_Order(*parts, loop_beside()))
    return found[WARM_UP:]


async def _run(folder: Path, url: str, given: argparse.Namespace, floor: DiskFloor | None) -> list[_Order]:
    transport = httpx.AsyncHTTPTransport(trust_env=False) if given.httpx else None
    http = Http(SystemClock(), system_random, transport=transport)
    try:
        return await _send(http, folder, url, given.orders, floor)
    finally:
        await http.aclose()


def measure(words: Sequence[str]) -> list[Comparison]:
    """Run, and say how long it took; the goal is one of CPU time."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.order_path", description=__doc__)
    parser.add_argument("--orders", type=int, default=1_000)
    parser.add_argument("--httpx", action="store_true", help="send by a client of httpx")
    parser.add_argument("--warm", action="store_true", help="sync nothing and wait for nothing")
    given = parser.parse_args(words)
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(there,), daemon=True)
    server.start()
    there.close()
    rounds.pin()
    try:
        url = f"http://127.0.0.1:{here.recv()}/order"
        with tempfile.TemporaryDirectory(prefix="predsurv-bench-") as name, closing(DiskFloor(Path(name))) as floor:
            found = asyncio.run(_run(Path(name), url, given, None if given.warm else floor))
    finally:
        here.close()
        server.join(10)
    return [_shown(found, floor.taken)]


def _shown(found: Sequence[_Order], floor: Sequence[Passed]) -> Comparison:
    how = "one order after the other, nothing synced" if not floor else f"{PAUSE_S * 1_000:.0f} ms between two orders"
    return Comparison(
        title=f"From an intent to its signed Polymarket order on the socket ({len(found):,} orders)",
        method=f"CPU of the thread, and the clock; {how}",
        figures=(
            *quantiles("all but the sync", [each.ours for each in found], GOAL_US),
            *quantiles("amounts, hash, signature", [each.prepared for each in found]),
            *quantiles("journal written", [each.stored for each in found]),
            *quantiles("headers, request, written to the socket", [each.sent for each in found]),
            *quantiles("journal synced, in a thread", [each.synced for each in found if floor]),
            *quantiles("a block synced, the disk's floor", floor),
            *quantiles("a loop beside", [each.beside for each in found]),
        ),
    )


if __name__ == "__main__":
    sys.exit(figures.main(measure))
