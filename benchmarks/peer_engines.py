"""Backtests against engines of others, over the same books: ``python -m benchmarks.trading --peers FOLDER``.

FOLDER holds an environment for each, none of which enters ours::

    python3.13 -m venv FOLDER/nautilus    && FOLDER/nautilus/bin/pip install nautilus_trader==2.0.0rc7
    python3.12 -m venv FOLDER/nautilus-1  && FOLDER/nautilus-1/bin/pip install nautilus_trader==1.231.0
    python3.11 -m venv FOLDER/hftbacktest && FOLDER/hftbacktest/bin/pip install hftbacktest==2.4.4

One that is not there, or fails, is left out, and a line says why. First the last best prices of all books are compared.
Then all run in turns, each a process of its own. Of ours the CPU of ``predsurv backtest`` counts, reading its Parquet
files included, less that of the same command on a few hundred events; of a peer that of its engine alone, its events
in memory and its code compiled. In one comparison a strategy is called with each change of every book and looks at the
best prices (NautilusTrader), in the other one it keeps a bid at the best bid of the five busiest books, with queue and
latency on both sides (hftbacktest). Ours runs over files that it decodes for the first time, and over the same again,
when it has kept what it decoded (``storage.replay_cache``).
"""

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from subprocess import DEVNULL, Popen, run
from typing import Final

import msgspec
from msgspec import Struct

import predsurv
from benchmarks.figures import Comparison, Figure, Goal
from benchmarks.own_strategies import FollowBestBid, LookAtBest
from benchmarks.peer_data import Converted, convert
from benchmarks.recordings import START, forget_decoded, record_mock
from predsurv.store.layout import NS_DAY, date_of

QUOTED: Final = 5
SMALL: Final = 500
MARKETS: Final = 300
FIRST: Final = ", first time"
_FILES: Final = Path(__file__).parent
_LIMITS: Final = {
    "PREDSURV_MOCK__ENABLED": "1",
    "PREDSURV_TRADING__STARTING_CASH": "1000000000",
    "PREDSURV_TRADING__LATENCY": "150ms",
    "PREDSURV_TRADING__ACK_LATENCY": "22ms",
    **{f"PREDSURV_RISK__MAX_{each}": "100000000" for each in ("ORDER_NOTIONAL", "POSITION_NOTIONAL")},
    **{f"PREDSURV_RISK__MAX_{each}": "100000000" for each in ("TOTAL_EXPOSURE", "DAILY_LOSS")},
    "PREDSURV_RISK__MAX_ORDERS_PER_MINUTE": "10000",
}
"""The peers have no limits."""


class PeerEngine(Struct, frozen=True):
    """An engine of somebody else: the environment it is in, its program in ``benchmarks/peers``, and what is compared.

    ``version``: the one to compare with; ``against``: the strategy of ours that does the same; ``goal``: how many times
    as fast ours shall be.
    """

    environment: str
    version: str
    program: str
    against: str
    goal: float


PEERS: Final = (
    PeerEngine("nautilus", "2.0.0rc7", "nautilus_engine.py", LookAtBest.__name__, 10),
    PeerEngine("nautilus-1", "1.231.0", "nautilus_engine.py", LookAtBest.__name__, 10),
    PeerEngine("hftbacktest", "2.4.4", "hftbacktest_engine.py", FollowBestBid.__name__, 0.5),
)


CRYPTOFEED: Final = (
    "cryptofeed 2.4.1: Polymarket and Kalshi are not among the 41 exchanges of its EXCHANGE_MAP, so that it cannot be "
    "given the same frames"
)


class PeerAnswer(Struct):
    """What a peer's program writes: CPU seconds, its version, the last best prices (micros) by number of instrument."""

    version: str
    cpu: float
    tops: list[tuple[int | None, int | None]]


def ask(peer: PeerEngine, environments: Path, columns: Path, quoted: Sequence[int]) -> PeerAnswer:
    """Let a peer run once; raises RuntimeError with one line that says why it did not."""
    python = environments / peer.environment / "bin" / "python"
    if not python.exists():
        raise RuntimeError(f"{peer.environment}: there is no FOLDER/{peer.environment}/bin/python")
    numbers = map(str, quoted) if peer.against == FollowBestBid.__name__ else ()
    command = [str(python), str(_FILES / "peers" / peer.program), str(columns), *numbers]
    answer = columns / "answer.json"
    answer.unlink(missing_ok=True)
    done = run(command, capture_output=True, cwd=columns, text=True, check=False)
    if done.returncode or not answer.exists():
        last = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise RuntimeError(f"{peer.environment}: exit {done.returncode}: {last[:200]}")
    return msgspec.json.decode(answer.read_bytes(), type=PeerAnswer)


def differing(answer: PeerAnswer, expected: Converted) -> int:
    """Return how many best prices of books differ from ours.

    Sides without a level are not compared: hftbacktest 2.4.4 goes on naming the last price of one that was emptied.
    """
    pairs = zip(expected.tops, answer.tops, strict=True)
    return sum(
        ours is not None and ours != theirs for mine, its in pairs for ours, theirs in zip(mine, its, strict=True)
    )


class Arena:
    """Two recordings of the made-up venue with the same markets, a few events of one and many of the other."""

    def __init__(self, folder: Path, events: int, rate: int) -> None:
        self.folder, self.columns = folder, folder / "columns"
        for name in ("small", "large", "columns"):
            (folder / name).mkdir(parents=True)
        record_mock(folder / "small", SMALL, markets=MARKETS, rate=rate)
        self.told = record_mock(folder / "large", events, markets=MARKETS, rate=rate)
        self.expected = convert(folder / "large", "mock", (START, START + NS_DAY // 2), self.columns)
        busiest = sorted(range(len(self.expected.changes)), key=self.expected.changes.__getitem__)
        self.quoted = busiest[-QUOTED:]

    def ours(self, strategy: str, *, again: bool) -> float:
        """Return the CPU seconds of a backtest of ours beyond start-up; raises RuntimeError.

        ``again``: over what was decoded before, else for the first time.
        """
        for name in ("small", "large") if not again else ():
            forget_decoded(self.folder / name)
        return self._cpu(strategy, "large") - self._cpu(strategy, "small")

    def check(self) -> int:
        """Return how many books a strategy of ours saw otherwise than they were."""
        look = LookAtBest()
        data = predsurv.open(self.folder / "large")
        predsurv.backtest(data, look, "mock", START, START + NS_DAY // 2)
        seen = {str(key.instrument_id): top for key, top in look.tops.items()}
        known = zip(self.expected.instruments, self.expected.tops, strict=True)
        return sum(seen[name] != tuple(top) for name, top in known if name in seen)

    def _cpu(self, strategy: str, name: str) -> float:
        command = [sys.executable, "-m", "predsurv", "backtest", "mock", date_of(START), "--format", "json"]
        command += ["--strategy", f"{_FILES / 'own_strategies.py'}:{strategy}"]
        if strategy == FollowBestBid.__name__:
            command += ["--param", f"markets={','.join(self.expected.markets[each] for each in self.quoted)}"]
        folder = self.folder / name
        given = os.environ | _LIMITS | {"PREDSURV_DATA_DIR": str(folder), "PYTHONPATH": str(_FILES.parent)}
        process = Popen(command, env=given, cwd=folder, stdout=DEVNULL, stderr=DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)}: exit {process.returncode}")
        return usage.ru_utime + usage.ru_stime


def compare(environments: Path, events: int, rounds: int, rate: int) -> Comparison:
    """Compare with every peer that is there, in the version that is pinned; it fails when best prices differ."""
    with tempfile.TemporaryDirectory(prefix="predsurv-bench-") as name:
        return _compare(Arena(Path(name) / "arena", events, rate), environments, rounds)


def _compare(arena: Arena, environments: Path, rounds: int) -> Comparison:
    expected, left_out, wrong = arena.expected, [CRYPTOFEED], {"predsurv": arena.check()}
    runs: dict[str, Callable[[], float]] = {}
    peers: dict[str, PeerEngine] = {}
    for peer in PEERS:
        try:
            answer = ask(peer, environments, arena.columns, arena.quoted)
        except RuntimeError as error:
            left_out.append(str(error))
            continue
        if answer.version != peer.version:
            left_out.append(f"{peer.environment} {answer.version}: {peer.version} is the one to compare with")
            continue
        title = f"{peer.environment} {answer.version}"
        wrong[title] = differing(answer, expected)
        peers[title] = peer
        runs[title] = lambda peer=peer: ask(peer, environments, arena.columns, arena.quoted).cpu  # type: ignore[misc]
    for strategy in dict.fromkeys(each.against for each in peers.values()):
        runs[f"{strategy}{FIRST}"] = lambda strategy=strategy: arena.ours(strategy, again=False)  # type: ignore[misc]
        runs[strategy] = lambda strategy=strategy: arena.ours(strategy, again=True)  # type: ignore[misc]
    spent: dict[str, list[float]] = {each: [] for each in runs}
    for turn in range(rounds):
        names = list(runs)
        for each in names if turn % 2 == 0 else reversed(names):
            spent[each].append(runs[each]())
            print(f"{each}: {spent[each][-1]:.2f} s", file=sys.stderr, flush=True)
    medians = {title: median(seconds) for title, seconds in spent.items()}
    return Comparison(
        title=f"Backtests against engines of others: {expected.events:,} changes and {expected.trades:,} trades of "
        f"{len(expected.instruments)} books",
        method="CPU time of a process each, in turns: of ours all beyond start-up, of theirs the engine alone",
        rounds=rounds,
        ratio="times ours again",
        figures=tuple(_figure(title, took, peers.get(title), medians) for title, took in medians.items()),
        left_out=tuple(left_out),
        failed="; ".join(f"{count} last best prices of {title} differ" for title, count in wrong.items() if count),
    )


def _figure(title: str, took: float, peer: PeerEngine | None, medians: dict[str, float]) -> Figure:
    if peer is None:
        return Figure(what=f"predsurv, {title}", value=took, unit="s of CPU")
    ratio = took / medians[peer.against]
    return Figure(
        what=f"{title}, against {peer.against}",
        value=took,
        unit="s of CPU",
        ratio=ratio,
        goal=Goal("≥", peer.goal),
    )
