"""What README and the pages that it leads to first tell a reader to type works on what the program wrote."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from predsurv.cli.command_table import available
from tests.kit import screencast
from tests.kit.patience import PATIENCE_S, eventually

ROOT = Path(__file__).resolve().parents[2]
README, READING, LISTED = (
    (ROOT / name).read_text(encoding="utf-8")
    for name in ("README.md", "docs/reading-recordings.md", "docs/commands.md")
)
SNIPPETS = re.findall(r"```python\n(.*?)```", READING, re.DOTALL)
COMMANDS = sorted(set(re.findall(r"^predsurv ([a-z]+)", README + LISTED, re.MULTILINE)))


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


def test_the_readme_fits_a_screen_or_two_and_names_every_command() -> None:
    (table,) = re.findall(r"^\| set up.*?\n\n", README, re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"`([a-z]+)`", table)) == set(available())
    assert len(README.splitlines()) <= 80
    assert all((ROOT / image).is_file() for image in re.findall(r"!\[[^]]*\]\(([^)]*)\)", README))


def test_the_picture_of_the_terminal_is_drawn_from_its_recording() -> None:
    assert screencast.SVG.read_text(encoding="utf-8") == screencast.draw(screencast.read_cast(screencast.CAST))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_in_the_readme_exists(tmp_path: Path, command: str) -> None:
    result = predsurv(tmp_path, command, "--help")
    assert result.returncode == 0, result.stderr
    assert f"predsurv {command}" in result.stdout
