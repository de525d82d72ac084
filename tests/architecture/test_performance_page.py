"""The page of figures is made from the committed ones, each with its command; how a run becomes a page."""

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parents[2]
BENCHMARKS: Final = ROOT / "benchmarks"
COMMANDS: Final = sorted(
    path.stem for path in BENCHMARKS.glob("[!_]*.py") if "__main__" in path.read_text() and path.stem != "page"
)
RUN: Final[dict[str, Any]] = {
    "begun": "2026-11-30T20:00:00Z",
    "ended": "2026-11-30T20:10:00Z",
    "commit": "0123abcd+",
    "machine": {
        "cpu": "A processor",
        "cores": 2,
        "memory_mb": 8_000,
        "os": "A system",
        "python": "3.11.7",
        "libraries": {"msgspec": "0.22.0"},
    },
    "load_begun": [1.25, 2, 3],
    "load_ended": [4, 5, 6],
    "benchmarks": [],
}


def page(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.page", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def page_of(folder: Path, *benchmarks: dict[str, Any]) -> str:
    path = folder / "run.json"
    path.write_text(json.dumps({**RUN, "benchmarks": benchmarks}))
    found = page(str(path), "--print")
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_the_page_is_what_the_figures_give() -> None:
    assert page("--check").returncode == 0, "run python -m benchmarks.page"


def test_every_figure_names_a_command_that_is_there() -> None:
    run = json.loads((ROOT / "docs" / "performance.json").read_text())
    assert run["benchmarks"]
    for each in run["benchmarks"]:
        program, _, words = each["command"].removeprefix("python -m benchmarks.").partition(" ")
        assert program in COMMANDS, each["command"]
        assert "/" not in words, "a path of a machine"
        assert each.get("comparisons") or each.get("left_out"), each["command"]
        for comparison in each.get("comparisons", ()):
            assert comparison["method"]
            assert comparison.get("figures") or comparison.get("left_out"), comparison["title"]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_benchmark_returns_its_figures_and_prints_none_of_its_own(name: str) -> None:
    tree = ast.parse((BENCHMARKS / f"{name}.py").read_text())
    assert ast.unparse(tree.body[-1]).endswith("sys.exit(figures.main(measure))")
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"]
    assert all("sys.stderr" in ast.unparse(call) for call in calls), "only progress is printed, to stderr"


def test_a_page_tells_machine_method_and_goals(tmp_path: Path) -> None:
    figures = [
        {"what": "theirs", "value": 1_234_567, "unit": "frames/s", "ratio": 1.0},
        {"what": "ours", "value": 0.01234, "unit": "s", "ratio": 2.5, "goal": {"sign": "≥", "bound": 2}},
        {"what": "memory", "value": 120, "unit": "MB", "goal": {"sign": "≤", "bound": 100, "of": "value"}},
        {"what": "no ratio", "value": 12.34, "unit": "s", "goal": {"sign": "≥", "bound": 2}},
    ]
    comparison = {"title": "A title", "method": "CPU", "rounds": 5, "ratio": "times", "figures": figures}
    text = page_of(tmp_path, {"command": "python -m benchmarks.scan 5", "comparisons": [comparison]})
    assert "| machine | A processor, 2 cores, 8,000 MB |" in text
    assert "| commit | 0123abcd+ (a + says that files differed from it) |" in text
    assert "| load at the beginning (1, 5, 15 minutes) | 1.2, 2.0, 3.0 |" in text
    assert "| libraries | msgspec 0.22.0 |" in text
    assert "## A title\n\n`python -m benchmarks.scan 5`: CPU; medians of 5 rounds.\n" in text
    assert "| theirs | 1,234,567 | frames/s | 1 |  |" in text
    assert "| ours | 0.0123 | s | 2.50 | ≥ 2: met |" in text
    assert "| memory | 120 | MB |  | ≤ 100: not met |" in text
    assert "| no ratio | 12.3 | s |  | ≥ 2: not met |" in text


def test_a_page_tells_what_was_left_out_and_what_failed(tmp_path: Path) -> None:
    text = page_of(
        tmp_path,
        {"command": "python -m benchmarks.scan", "left_out": "it did not end"},
        {
            "command": "python -m benchmarks.seal",
            "comparisons": [{"title": "A", "method": "CPU", "left_out": ["a peer"], "failed": "books differ"}],
        },
    )
    assert "## Not measured: `python -m benchmarks.scan`\n\nIt did not end.\n" in text
    assert "Left out: a peer.\n" in text
    assert "**Failed:** books differ.\n" in text
