"""What docs/writing-a-strategy.md and docs/api.md show works as it stands there, from the first block to the last."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from predsurv.cli.app import main
from predsurv.core.events import BookSnapshot
from predsurv.core.ids import TradeId
from predsurv.core.records import Record
from tests.kit.backtests import covered, hours, listed_on
from tests.kit.recordings import record
from tests.kit.trading_samples import YES, S, delta, levels, market, trade

DOCS = Path(__file__).resolve().parents[2] / "docs"

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# (\w+\.py)\n")


class Block(NamedTuple):
    language: str
    text: str
    line: int


def blocks(page: str) -> Iterator[Block]:
    """The fenced blocks of a page, with the line at which each begins."""
    text = (DOCS / page).read_text()
    for match in _BLOCK.finditer(text):
        yield Block(match[1], match[2], text.count("\n", 0, match.start(2)) + 1)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a recording of two minutes in which an ask falls, and the modules it imports forgotten after."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    listed_on(tmp_path / "data", 0, market())
    start = hours(1)
    rows: list[Record] = [BookSnapshot(YES, start, None, 1, None, levels((40, 100)), levels((60, 100)))]
    rows += [delta("ask", 52, 50, start + 30 * S), delta("ask", 52, 0, start + 40 * S)]
    rows.append(replace(trade(52, 5, "buy", start + 31 * S), trade_id=TradeId("t")))
    rows += [delta("bid", 39, size + 1, start + size * S) for size in range(41, 119)]
    rows.append(covered(YES, start, start + 120 * S))
    record(tmp_path / "data", hours(2), rows)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith(("buy_the_dip", "wide_spread", "predsurv_own")):
            del sys.modules[name]


def run_console(block: Block) -> None:
    for line in block.text.splitlines():
        words = shlex.split(line.removeprefix("$ "))
        if words[0] == "predsurv":
            assert main(words[1:]) == 0, line
        else:
            words[0] = sys.executable
            done = subprocess.run(
                [*words, "-p", "no:cacheprovider"], capture_output=True, text=True, timeout=300, check=False
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("page", ["writing-a-strategy.md", "api.md"])
def test_every_snippet_of_a_page_runs(page: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {"__name__": "snippet"}
    ran = 0
    for block in blocks(page):
        file = _FILE.match(block.text)
        if block.language == "python" and file is not None:
            (folder / file[1]).write_text(block.text)
        elif block.language == "python":
            exec(compile("\n" * block.line + block.text, str(DOCS / page), "exec"), names)  # noqa: S102 - our own page
        elif block.language == "console":
            run_console(block)
        elif block.language == "toml" and "[trading]" in block.text:
            path = folder / "snippet.toml"
            path.write_text(block.text)
            assert main(["strategies", "--config", str(path)]) == 0
            assert "0.04" in capsys.readouterr().out
        ran += 1
    assert ran >= 4


def test_the_strategy_of_the_page_trades_on_what_was_recorded(folder: Path) -> None:
    import predsurv

    for block in blocks("writing-a-strategy.md"):
        if (file := _FILE.match(block.text)) is not None:
            (folder / file[1]).write_text(block.text)
    from buy_the_dip import BuyTheDip  # type: ignore[import-not-found]

    day = "2027-01-15"
    result = predsurv.backtest(predsurv.open("data"), BuyTheDip(drop="0.05", hold="30s"), "mock", day, day)
    assert [(fill.side, fill.price) for fill in result.fills] == [("buy", 520_000), ("sell", 400_000)]
