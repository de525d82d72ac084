"""``predsurv simulate`` as a user meets it: one terminal serves, another one works against it."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.kit.patience import PATIENCE_S


def predsurv(folder: Path, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "predsurv", *arguments],
        cwd=folder,
        env={**os.environ, "PREDSURV_METRICS__PORT": "0", **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """Start a simulated Polymarket; yield its process and the environment variables that it prints."""
    command = [sys.executable, "-m", "predsurv", "simulate", "polymarket", "--markets", "60", "--truth", "truth.jsonl"]
    faults = ["--faults", "drop@1s/3s garbage~1s"]
    with subprocess.Popen([*command, *faults], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed = [re.fullmatch(r"export (\w+)=(\S+)\n", process.stdout.readline()) for _ in range(6)]
        yield process, {match[1]: match[2] for match in printed if match is not None}
        process.kill()


def listed(environment: dict[str, str]) -> set[str]:
    """Return the ids of the open markets that the simulator lists now; it closes some as time passes."""
    address = environment["PREDSURV_VENUES__POLYMARKET__GAMMA_URL"]
    answer = httpx.get(f"{address}/markets/keyset", params={"limit": "100", "closed": "false"}, trust_env=False)
    return {row["conditionId"] for row in answer.raise_for_status().json()["markets"] if "conditionId" in row}


@pytest.mark.slow
def test_a_user_can_scan_record_and_trade_against_it(
    tmp_path: Path, served: tuple[subprocess.Popen[str], dict[str, str]]
) -> None:
    process, environment = served
    assert len(environment) == 6
    before = listed(environment)
    assert predsurv(tmp_path, environment, "scan", "polymarket").returncode == 0
    always = before & listed(environment)
    for arguments in (
        ("collect", "polymarket", "--duration", "4s"),
        ("trade", "--paper", "--venue", "polymarket", "--duration", "3s"),
    ):
        result = predsurv(tmp_path, environment, *arguments)
        assert result.returncode == 0, result.stderr
    (universe,) = tmp_path.rglob("universe.jsonl")
    scanned = {json.loads(line)["market_id"] for line in universe.read_text().splitlines()}
    assert len(always - scanned) < 10  # unreadable on purpose
    assert len(scanned & before) > 0
    datasets = {part for path in tmp_path.rglob("*.parquet") for part in path.parts}
    assert datasets >= {"book_deltas", "orderbook_snapshots", "trades", "coverage"}
    assert '"drop"' in (tmp_path / "truth.jsonl").read_text()
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--faults", "flood@5s"), "'flood@5s' is not a fault"),
        (("--truth", "missing/truth.jsonl"), "--truth: cannot write"),
        (("--duration", "soon"), "--duration: expected a time"),
    ],
)
def test_what_makes_no_sense_is_one_clear_line(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    result = predsurv(tmp_path, {}, "simulate", "polymarket", "--markets", "1", *arguments)
    assert result.returncode == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
