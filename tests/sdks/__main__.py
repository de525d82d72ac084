"""``make sdks``: clients of others, unmodified, against our simulated venues; prints client × call.

Each client runs in an environment of its own, made from the lock of its name, against a simulator that was just
started. Those that cannot be installed here (no such Python) are said to be missing.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from predsurv.config import Secret
from predsurv.venues.polymarket.orders.ethereum_key import EthereumKey, checksummed

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent.parent
CLIENT_TIMEOUT_S: Final = 180
INSTALL_TIMEOUT_S: Final = 600


class ForeignClient(NamedTuple):
    """A client: the venues that it is run against, and what runs it."""

    venues: tuple[str, ...]
    interpreter: str = "python3"


CLIENTS: Final[Mapping[str, ForeignClient]] = {
    "polymarket_client": ForeignClient(("polymarket",)),
    "py_clob_client_v2": ForeignClient(("polymarket",)),
    "kalshi_python_sync": ForeignClient(("kalshi",), "python3.13"),
    "kalshi_python_async": ForeignClient(("kalshi",), "python3.13"),
    "kalshi_sdk": ForeignClient(("kalshi",), "python3.13"),
    "ccxt_polymarket": ForeignClient(("polymarket",)),
    "ccxt_kalshi": ForeignClient(("kalshi",)),
    "clob_client_v2": ForeignClient(("polymarket",), "node"),
    "kalshi_typescript": ForeignClient(("kalshi",), "node"),
}


LOCKS: Final[Mapping[str, str]] = {
    "ccxt_polymarket": "ccxt",
    "ccxt_kalshi": "ccxt",
    "kalshi_python_sync": "kalshi_official",
    "kalshi_python_async": "kalshi_official",
}
"""Where the lock has not the name of the client."""


def main() -> int:
    """Run the clients that are named; return 1 where a call failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.sdks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *CLIENTS], help="clients, all without any")
    parser.add_argument("--environments", type=Path, default=ROOT / ".sdks", help="where they are installed")
    arguments = parser.parse_args()
    failed = 0
    for name in arguments.names or CLIENTS:
        install = _installed_package if CLIENTS[name].interpreter == "node" else _installed
        command = install(name, arguments.environments)
        if command is None:
            print(f"{name}: missing, it needs {CLIENTS[name].interpreter}")
            continue
        results = _run(name, command)
        good = [call for call, error in results.items() if not error]
        print(f"{name}: {len(good)} of {len(results)} calls: {', '.join(good)}")
        for call, error in results.items():
            if error:
                failed += 1
                print(f"  {call}: {error}")
    return 1 if failed else 0


def _installed(name: str, folder: Path) -> list[str] | None:
    """Return the command of a client in its environment, made where there is none; None where its Python is missing."""
    python = folder / name / "bin" / "python"
    if not python.exists():
        base = shutil.which(CLIENTS[name].interpreter)
        if base is None:
            return None
        subprocess.run([base, "-m", "venv", str(folder / name)], check=True, timeout=INSTALL_TIMEOUT_S)
        lock = HERE / "locks" / f"{LOCKS.get(name, name)}.txt"
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--require-hashes", "-r", str(lock)], check=True, timeout=INSTALL_TIMEOUT_S)
    return [str(python), "-m", f"tests.sdks.clients.{name}"]


def _installed_package(name: str, folder: Path) -> list[str] | None:
    """Return the command of a client of npm; all share one folder, made where there is none. None without node."""
    node, npm, home = shutil.which("node"), shutil.which("npm"), folder / "npm"
    if node is None or npm is None:
        return None
    home.mkdir(parents=True, exist_ok=True)
    for file in (HERE / "npm").iterdir():
        shutil.copy(file, home)
    if not (home / "node_modules").exists():
        install = [npm, "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(install, cwd=home, check=True, timeout=INSTALL_TIMEOUT_S)
    return [node, str(home / f"{name}.mjs")]


def _run(name: str, command: list[str]) -> dict[str, str]:
    """Return the calls of a client with what went wrong, "" where nothing did."""
    results: dict[str, str] = {}
    for venue in CLIENTS[name].venues:
        with _simulated(venue) as environment:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env={**os.environ, **environment},
                capture_output=True,
                text=True,
                timeout=CLIENT_TIMEOUT_S,
                check=False,
            )
        for line in done.stdout.splitlines():
            if line.startswith('{"call"'):
                row = json.loads(line)
                results[row["call"]] = row["error"]
        if done.returncode:
            results["the whole run"] = (done.stderr.strip().splitlines() or ["no message"])[-1][:300]
    return results


@contextmanager
def _simulated(venue: str) -> Iterator[dict[str, str]]:
    """Serve a venue; yield the environment that leads to it."""
    command = [sys.executable, "-m", "predsurv", "simulate", venue, "--markets", "60", "--rate", "200"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stderr.readline()  # said once everything is printed
        environment: dict[str, str] = {}
        last = "PREDSURV_POLYMARKET_PRIVATE_KEY" if venue == "polymarket" else "PREDSURV_KALSHI_PRIVATE_KEY_FILE"
        while last not in environment:
            name, _, value = process.stdout.readline().strip().removeprefix("export ").partition("=")
            environment[name] = value
        if venue == "polymarket":
            key = EthereumKey(Secret(environment[last]))
            environment["SIMULATED_ADDRESS"] = checksummed(key.address, key.keccak)
        try:
            yield environment
        finally:
            process.terminate()
            process.communicate(timeout=60)


if __name__ == "__main__":
    sys.exit(main())
