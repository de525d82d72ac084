"""Candidates for every kind of word, for every shell, without importing anything heavy."""

import subprocess
import sys
from pathlib import Path

import pytest

from predsurv.cli.completion.engine import answer, candidates

HEAVY = ("typer", "rich", "polars", "pyarrow", "httpx", "msgspec", "asyncio", "tomllib")


@pytest.fixture(autouse=True)
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for day in ("2026-11-19", "2026-11-20"):
        (tmp_path / "data" / "coverage" / "venue=kalshi" / f"date={day}").mkdir(parents=True)
    (tmp_path / "data" / "runs" / "20261120T010203004Z-mock").mkdir(parents=True)


def words(*typed: str) -> list[str] | None:
    found = candidates(typed, {})
    return None if found is None else [each.word for each in found]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["st"], ["status", "strategies"]),
        (["mine", "e"], ["episodes", "explain"]),
        (["mine", "k"], ["kalshi"]),
        (["mine", "kalshi", "e"], []),
        (["scan", "kalshi", ""], ["polymarket", "mock"]),
        (["backtest", "kalshi", ""], ["today", "yesterday", "2026-11-20", "2026-11-19"]),
        (["backtest", "kalshi", "2026-11-19..2"], ["2026-11-19..2026-11-20", "2026-11-19..2026-11-19"]),
        (["runs", "show", ""], ["latest", "20261120T010203004Z-mock"]),
        (["runs", "compare", "latest", "2"], ["20261120T010203004Z-mock"]),
        (["trade", "--strategy", "m"], ["market_maker", "momentum"]),
        (["status", "--format", "j"], ["json", "jsonl"]),
        (["status", "--format=c"], ["--format=csv"]),
        (["--format", "t"], ["table"]),
        (["collect", "--pl"], ["--plan"]),
        (["collect", "--", "--pl"], []),
        (["completion", "show", ""], ["bash", "zsh", "fish"]),
        (["mine", "--top", ""], []),
        (["nothing", "like", "it"], []),
    ],
)
def test_what_may_stand_there_is_offered(typed: list[str], offered: list[str]) -> None:
    assert words(*typed) == offered


def test_the_name_of_a_file_is_left_to_the_shell() -> None:
    assert words("status", "--config", "") is None
    assert answer("fish", ["status", "--config", ""], {}) == ":files\n"
    assert words("status", "--config=a") is None


def test_bash_breaks_words_at_equals_signs_and_wants_the_rest_of_the_word() -> None:
    assert answer("bash", ["status", "--format", "=", "js"], {}) == "json\njsonl\n"
    assert answer("bash", ["status", "--format", "="], {}) == "table\njson\njsonl\ncsv\n"
    assert answer("zsh", ["status", "--format=js"], {}) == "--format=json\t\n--format=jsonl\t\n"


def test_help_is_beside_the_word_where_the_shell_shows_it() -> None:
    assert answer("zsh", ["sta"], {}) == "status\tShow how much of the wanted time was recorded\n"
    assert answer("bash", ["sta"], {}) == "status\n"


def test_completing_imports_no_heavy_library() -> None:
    probe = f"""import sys
before = set(sys.modules)  # measuring coverage has its own
from predsurv.cli.app import main
main(["__complete", "zsh", "runs", "show", ""])
sys.exit(",".join(name for name in {HEAVY!r} if name in sys.modules.keys() - before) or 0)"""
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "latest" in done.stdout
