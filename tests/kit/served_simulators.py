"""Simulated venues with orders on a background loop, to which every command of the test's process is led."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from predsurv.net.clock import SystemClock
from predsurv.simulate.polymarket.simulator import PolymarketSimulator, PolymarketSimulatorSettings
from predsurv.simulate.server import ServerRequest, ServerResponse
from tests.kit.patient_clocks import tolerate_wrong_clocks
from tests.kit.served_fakes import BackgroundLoop
from tests.kit.simulated_kalshi import SimulatedKalshi


class Asked(NamedTuple):
    """A request that a simulator received."""

    method: str
    path: str


Requests = list[Asked]
"""What a simulator was asked, in order."""


@contextmanager
def served_polymarket(loop: BackgroundLoop, patch: pytest.MonkeyPatch, _: Path) -> Iterator[Requests]:
    """A simulated Polymarket with a key that has money."""

    async def start() -> tuple[PolymarketSimulator, Callable[[], Awaitable[None]]]:
        simulator = PolymarketSimulator(PolymarketSimulatorSettings(markets=20, rate=200), SystemClock())
        await simulator.start()
        running = asyncio.create_task(simulator.run())

        async def stop() -> None:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await simulator.aclose()

        return simulator, stop

    simulator, stop = loop.call(start())
    tolerate_wrong_clocks(patch)
    for name, value in simulator.environment().items():
        patch.setenv(name, value)
    yield from _recorded(loop, patch, stop)


@contextmanager
def served_kalshi(loop: BackgroundLoop, patch: pytest.MonkeyPatch, folder: Path) -> Iterator[Requests]:
    """A simulated Kalshi with a key that has money."""

    async def start() -> SimulatedKalshi:
        # The command's own clock: on a busy machine one that only the process is given falls behind it.
        made = SimulatedKalshi(folder, markets=20, rate=200, clock=SystemClock())  # type: ignore[arg-type]
        await made.start()
        return made

    server = loop.call(start())
    tolerate_wrong_clocks(patch)
    for name, value in {**server.environ(), **server.urls()}.items():
        patch.setenv(name, value)
    yield from _recorded(loop, patch, server.aclose)


def _recorded(
    loop: BackgroundLoop, patch: pytest.MonkeyPatch, stop: Callable[[], Awaitable[None]]
) -> Iterator[Requests]:
    from predsurv.simulate.server import _Connection

    asked, serve = Requests(), _Connection._serve

    def recorded(self: _Connection, request: ServerRequest) -> ServerResponse | None:
        asked.append(Asked(request.method, request.path))
        return serve(self, request)

    async def stopped() -> None:
        await stop()

    patch.setattr(_Connection, "_serve", recorded)
    try:
        yield asked
    finally:
        loop.call(stopped())
