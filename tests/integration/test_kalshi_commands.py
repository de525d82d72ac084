"""What a user types, against ``predsurv simulate kalshi``: with a key, without one, and with everything wrong."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from predsurv.cli.app import main
from predsurv.net import clock
from predsurv.store.universe import read_universe
from tests.kit.collect_runs import collect_until

KEY_NAMES = ("PREDSURV_KALSHI_KEY_ID", "PREDSURV_KALSHI_PRIVATE_KEY_FILE")


@pytest.fixture(scope="module")
def served() -> Iterator[dict[str, str]]:
    """A running simulator; the variables it prints."""
    command = [sys.executable, "-m", "predsurv", "simulate", "kalshi", "--markets", "60", "--duration", "240s"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        matches = [re.match(r"export (\w+)=(.*)\n", line) for line in lines]
        found = {match[1]: match[2] for match in matches if match}
        assert len(found) == 4, lines
        yield found
        process.terminate()
        process.wait(10)
        assert process.returncode == 0


@pytest.fixture
def env(served: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    monkeypatch.chdir(tmp_path)
    for name, value in served.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PREDSURV_METRICS__PORT", "0")
    return served


@pytest.fixture
def keyless(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEY_NAMES:
        monkeypatch.delenv(name)


def reasons() -> set[str]:
    """Return why time was covered or not, in what was recorded."""
    files = Path("data/coverage").rglob("*.parquet")
    return {reason for file in files for reason in pq.read_table(file)["reason"].to_pylist()}


def rows(dataset: str) -> int:
    return sum(pq.read_metadata(file).num_rows for file in Path("data", dataset).rglob("*.parquet"))


def test_scan_and_collect_with_a_key(env: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "kalshi", "--format", "json"]) == 0
    (universe,) = Path("data/metadata").rglob("universe.jsonl")
    markets = [*read_universe(universe)]
    assert len(markets) > 50
    assert all(market.fee.model == "kalshi" and market.bands for market in markets)
    kinds = ("book_deltas", "trades", "orderbook_snapshots")
    collect_until("4s", lambda: all(map(rows, kinds)), "kalshi")
    assert "live" in reasons()
    assert "polled" not in reasons()
    shown = capsys.readouterr()
    secret = Path(env[KEY_NAMES[1]]).read_text().splitlines()[1:-1]
    assert not [line for line in secret if line in shown.out + shown.err]
    assert main(["doctor", "--venue", "kalshi", "--format", "json"]) == 0
    checks = {row["check"]: row for row in json.loads(capsys.readouterr().out)["checks"]}
    assert {row["state"] for row in checks.values()} == {"ok"}, "what the simulator sends is what is known"
    assert " in 0 frames" not in checks["messages"]["found"]


@pytest.mark.usefixtures("keyless")
def test_the_list_is_read_again_in_a_process_of_its_own_while_recording(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PREDSURV_SCANNER__REFRESH", "1s")
    assert main(["scan", "kalshi"]) == 0
    (universe,) = Path("data/metadata").rglob("universe.jsonl")
    before = {market.market_id for market in read_universe(universe)}

    def newly_listed() -> set[str]:
        files = Path("data/lifecycle").rglob("*.parquet")
        rows = [row for file in files for row in pq.read_table(file, columns=["kind", "market_id"]).to_pylist()]
        return {row["market_id"] for row in rows if row["kind"] == "listed"} - before

    collect_until("12s", newly_listed, "kalshi")
    assert newly_listed() <= {market.market_id for market in read_universe(universe)}
    assert "lists read again" in capsys.readouterr().out


@pytest.mark.usefixtures("keyless")
def test_scan_and_collect_without_a_key(caplog: pytest.LogCaptureFixture) -> None:
    assert main(["scan", "kalshi"]) == 0
    collect_until("5s", lambda: rows("book_deltas") and rows("trades"), "kalshi")
    assert "polled" in reasons()
    assert "live" not in reasons()
    assert rows("trades")


@pytest.mark.usefixtures("env")
def test_doctor_says_what_a_key_adds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor", "--offline", "--format", "jsonl"])
    assert "streamed with the API key" in capsys.readouterr().out
    for name in KEY_NAMES:
        monkeypatch.delenv(name)
    main(["doctor", "--offline", "--format", "jsonl"])
    assert "an API key adds every change of a book, numbered" in capsys.readouterr().out


@pytest.mark.usefixtures("env")
@pytest.mark.parametrize(
    ("name", "value", "code", "said"),
    [
        ("PREDSURV_KALSHI_KEY_ID", "00000000-0000-0000-0000-000000000000", 3, "the API key was refused"),
        ("PREDSURV_KALSHI_PRIVATE_KEY_FILE", "/nowhere/key.pem", 2, "cannot read the key file"),
        ("PREDSURV_KALSHI_KEY_ID", "", 2, "PREDSURV_KALSHI_KEY_ID is not; set both"),
        ("PREDSURV_VENUES__KALSHI__REST_URL", "http://127.0.0.1:9/trade-api/v2", 3, "cannot connect"),
    ],
)
def test_what_is_wrong_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str, code: int, said: str
) -> None:
    monkeypatch.setenv(name, value)
    assert main(["scan", "kalshi"]) == code
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert said in errors[0]


@pytest.mark.usefixtures("env")
def test_a_wrong_clock_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = clock.SystemClock.now
    monkeypatch.setattr(clock.SystemClock, "now", lambda self: now(self) - 60_000_000_000)
    assert main(["scan", "kalshi"]) == 3
    found = re.search(r"clock is (\d+) s behind the venue's", capsys.readouterr().err)
    assert found is not None
    assert 30 < int(found[1]) <= 61  # an answer that comes late makes it less


def test_a_wrong_fault_names_the_right_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "kalshi", "--fault", "explode@5s"]) == 2
    assert "error26" in capsys.readouterr().err
