"""``predsurv simulate``: serve a venue's own protocol on this machine, with faults on request."""

import asyncio
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, Protocol

import typer

from predsurv.cli.options import Duration
from predsurv.cli.output.render import say
from predsurv.cli.runtime import duration_ns
from predsurv.cli.signals import StopSignals
from predsurv.config import MockConfig
from predsurv.core.errors import ConfigError
from predsurv.net.clock import SystemClock
from predsurv.ports import Clock

KeyType = Literal["rsa", "ed25519"]


class SimulatorServer(Protocol):
    """A local server that speaks a venue's protocol."""

    @property
    def port(self) -> int: ...
    async def start(self, port: int = 0) -> None: ...
    async def run(self) -> None: ...
    async def aclose(self) -> None: ...


class SimulateOptions(NamedTuple):
    """Options of a simulator: its markets, its faults, the file (``truth``) that logs them, the type of its API key."""

    mock: MockConfig
    faults: Sequence[str]
    truth: Path | None
    key_type: KeyType


Environment = Callable[[], Mapping[str, str]]
"""Returns the environment variables that point predsurv at a server that has started."""


def simulate(
    venue: Annotated[Literal["polymarket", "kalshi"], typer.Argument(help="Whose protocol to speak.")],
    *,
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="First port on 127.0.0.1; 0 takes any.")] = 0,
    markets: Annotated[int, typer.Option("--markets", min=1, max=100_000, help="Markets at the start.")] = 300,
    rate: Annotated[int, typer.Option("--rate", min=1, max=1_000_000, help="Book changes per second.")] = 400,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, help="The same seed, the same events.")] = 7,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            "--fault",
            "--faults",
            metavar="KIND@TIME[:FOR]",
            help='What goes wrong when, such as "drop@5s freeze@20s:10s"; a wrong one is answered with all there are.',
        ),
    ] = None,
    truth: Annotated[
        Path | None, typer.Option("--truth", metavar="FILE", help="Note every fault here, one JSON line each.")
    ] = None,
    key_type: Annotated[KeyType, typer.Option("--key-type", help="Kind of the throw-away key.")] = "rsa",
    duration: Duration = None,
) -> None:
    """Serve a venue's protocol on this machine over made-up markets, until stopped."""
    mock = MockConfig(enabled=True, seed=seed, markets=markets, rate=rate)
    options = SimulateOptions(mock, " ".join(fault or ()).replace(",", " ").split(), truth, key_type)
    limit = duration_ns(duration)
    with tempfile.TemporaryDirectory(prefix="predsurv-") as folder:
        clock = SystemClock()
        simulator, environment = _BUILDERS[venue](options, clock, Path(folder))
        with StopSignals().heard() as signals:
            asyncio.run(_serve(signals, venue, simulator, environment, port=port, limit=limit))


def _polymarket(options: SimulateOptions, clock: Clock, folder: Path) -> tuple[SimulatorServer, Environment]:  # noqa: ARG001
    from predsurv.simulate.polymarket.simulator import PolymarketSimulator, PolymarketSimulatorSettings

    mock = options.mock
    settings = PolymarketSimulatorSettings(
        seed=mock.seed, markets=mock.markets, rate=mock.rate, faults=" ".join(options.faults), truth=options.truth
    )
    simulator = PolymarketSimulator(settings, clock)
    return simulator, simulator.environment


def _kalshi(options: SimulateOptions, clock: Clock, folder: Path) -> tuple[SimulatorServer, Environment]:
    from predsurv.simulate.kalshi.simulator import KalshiSimulator, KalshiSimulatorSettings, environment
    from predsurv.simulate.kalshi.throwaway_key import ThrowawayKey
    from predsurv.venues.mock import MockVenue

    mock, key, path = options.mock, ThrowawayKey(options.key_type), folder / "kalshi.pem"
    key.write(path)
    settings = KalshiSimulatorSettings(key=key, faults=" ".join(options.faults), seed=mock.seed, truth=options.truth)
    simulator = KalshiSimulator(MockVenue(mock, clock), clock, settings)
    return simulator, lambda: environment(simulator.port, key, path)


async def _serve(
    signals: StopSignals,
    venue: str,
    simulator: SimulatorServer,
    environment: Environment,
    *,
    port: int,
    limit: int | None,
) -> None:
    """Serve until a signal comes or ``limit`` (ns) has passed."""
    stopped = asyncio.Event()
    with signals.stopping_with(stopped.set, ""):
        await _serve_until(stopped, venue, simulator, environment, port=port, limit=limit)


async def _serve_until(
    stopped: asyncio.Event,
    venue: str,
    simulator: SimulatorServer,
    environment: Environment,
    *,
    port: int,
    limit: int | None,
) -> None:
    try:
        await simulator.start(port)
    except OSError as error:
        raise ConfigError(f"--port: cannot listen on 127.0.0.1:{port}: {error.strerror}; try --port 0") from None
    for name, value in environment().items():
        print(f"export {name}={value}")
    sys.stdout.flush()
    say(f"serving; copy the lines above into another shell and try 'predsurv scan {venue}' there; Ctrl-C stops")
    waits: list[asyncio.Task[Any]] = [asyncio.create_task(simulator.run()), asyncio.create_task(stopped.wait())]
    if limit is not None:
        waits.append(asyncio.create_task(SystemClock().sleep(limit)))
    try:
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in waits:
            task.cancel()
        await simulator.aclose()


_BUILDERS: Final[dict[str, Callable[[SimulateOptions, Clock, Path], tuple[SimulatorServer, Environment]]]] = {
    "polymarket": _polymarket,
    "kalshi": _kalshi,
}
