"""Messages from a socket, nothing done with them: ours, websockets as it comes, and picows where it is installed.

``python -m benchmarks.receive``. The server is another process that always has more to say; what counts is the CPU time
of this one per message, in interleaved rounds. picows hands out views: each message is copied, as a recorder has to.
"""

import asyncio
import base64
import hashlib
import multiprocessing
import struct
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from multiprocessing.connection import Connection
from statistics import median
from typing import Any, Final

from websockets.asyncio.client import connect as websockets_connect

from benchmarks import figures, rounds
from benchmarks.figures import Comparison, Figure, Goal
from predsurv.net.ws import connect

MESSAGES: Final = 100_000
PER_WRITE: Final = 200
SIZES: Final = (250, 600)
"""Bytes of a change of Kalshi's books and of Polymarket's, as recorded."""
GOAL: Final = 1.0
_ACCEPT: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

Receive = Callable[[str], Awaitable[None]]


def measure(words: Sequence[str]) -> list[Comparison]:  # noqa: ARG001  it has none
    """Measure each size."""
    receivers: dict[str, Receive] = {"predsurv": _ours, "websockets": _websockets}
    left_out = []
    try:
        receivers["picows"] = _picows()
    except ImportError:
        left_out.append("picows, which is not installed")
    return [_compare(receivers, size, tuple(left_out)) for size in SIZES]


def _compare(receivers: dict[str, Receive], size: int, left_out: tuple[str, ...]) -> Comparison:
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, size), daemon=True)
    server.start()
    url = f"ws://127.0.0.1:{ours.recv()}/"
    spent: dict[str, list[float]] = {name: [] for name in receivers}
    try:
        for _ in range(rounds.ROUNDS):
            for name, receive in receivers.items():
                spent[name].append(asyncio.run(_timed(receive, url)))
    finally:
        server.terminate()
        server.join()
    medians = {name: median(times) for name, times in spent.items()}
    goal = Goal("≥", GOAL)
    return Comparison(
        title=f"Messages of {size} bytes from a socket, nothing done with them ({MESSAGES:,})",
        method="CPU time of the receiving process, in interleaved rounds; the server is another process",
        rounds=rounds.ROUNDS,
        ratio="times ours",
        figures=tuple(
            Figure(
                what=name,
                value=took / MESSAGES * 1e6,
                unit="µs a message",
                ratio=took / medians["predsurv"],
                goal=None if name == "predsurv" else goal,
            )
            for name, took in medians.items()
        ),
        left_out=left_out,
    )


async def _timed(receive: Receive, url: str) -> float:
    began = time.process_time()
    await receive(url)
    return time.process_time() - began


async def _ours(url: str) -> None:
    socket, seen = await connect(url), 0
    while seen < MESSAGES:
        seen += len(await socket.recv_many())
    await socket.aclose()


async def _websockets(url: str) -> None:
    async with websockets_connect(url, compression=None, max_queue=16_384) as socket:
        for _ in range(MESSAGES):
            await socket.recv(decode=False)


def _picows() -> Receive:
    picows: Any = import_module("picows")

    class PicowsListener(picows.WSListener):  # type: ignore[misc]
        def __init__(self) -> None:
            self.waiting: list[bytes] = []
            self.seen, self.done = 0, asyncio.Event()

        def on_ws_frame(self, _: Any, frame: Any) -> None:
            self.waiting.append(frame.get_payload_as_bytes())
            self.seen += 1
            if self.seen == MESSAGES:
                self.done.set()
            if len(self.waiting) >= PER_WRITE:
                self.waiting.clear()

    async def receive(url: str) -> None:
        transport, listener = await picows.ws_connect(PicowsListener, url)
        await listener.done.wait()
        transport.disconnect()

    return receive


def _serve(pipe: Connection, size: int) -> None:
    asyncio.run(_serving(pipe, size))


async def _serving(pipe: Connection, size: int) -> None:
    head = b"\x81" + (bytes([size]) if size < 126 else b"\x7e" + struct.pack(">H", size))
    some = (head + b"x" * size) * PER_WRITE

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fields = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        (key,) = [field.split(b": ")[1] for field in fields if field.lower().startswith(b"sec-websocket-key:")]
        accept = base64.b64encode(hashlib.sha1(key + _ACCEPT).digest())  # noqa: S324 - of the protocol
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
        writer.write(b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        for _ in range(MESSAGES // PER_WRITE):
            writer.write(some)
            await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


if __name__ == "__main__":
    sys.exit(figures.main(measure))
