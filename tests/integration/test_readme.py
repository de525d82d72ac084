"""What the README tells a reader to type works on what the program wrote."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.patience import PATIENCE_S, eventually

ROOT = Path(__file__).resolve().parents[2]
SNIPPETS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
COMMANDS = sorted(
    set(re.findall(r"^predsurv ([a-z]+)", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE))
)


def predsurv(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "predsurv", *arguments],
        cwd=folder,
        env={**os.environ, "PREDSURV_METRICS__PORT": "0"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readme")
    assert predsurv(folder, "scan", "--mock").returncode == 0

    def recorded_enough() -> bool:
        result = predsurv(folder, "collect", "--mock", "--duration", "3s")
        assert result.returncode == 0, result.stderr
        datasets = ("orderbook_snapshots", "book_deltas", "trades", "coverage")
        return all(any((folder / "data" / name).rglob("*.parquet")) for name in datasets)

    eventually(recorded_enough)
    return folder


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_a_reader_snippet_prints_rows(recorded: Path, number: int) -> None:
    result = subprocess.run(
        [sys.executable, "-c", SNIPPETS[number]],
        cwd=recorded,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert re.search(r"\d", result.stdout)
    assert "shape: (0," not in result.stdout
    assert "None None" not in result.stdout


def test_there_are_snippets_for_both_readers() -> None:
    assert any("duckdb" in snippet for snippet in SNIPPETS)
    assert any("scan_parquet" in snippet for snippet in SNIPPETS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_in_the_readme_exists(tmp_path: Path, command: str) -> None:
    result = predsurv(tmp_path, command, "--help")
    assert result.returncode == 0, result.stderr
    assert f"predsurv {command}" in result.stdout
