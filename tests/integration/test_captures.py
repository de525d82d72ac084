"""Commands look as they did when somebody last looked at them, at 80, 120 and 200 columns."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.kit.captures import COMMANDS, FOLDER, WIDTHS, captured, recorded_folder, shown


@pytest.fixture(scope="module", autouse=True)
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with recorded_folder(tmp_path_factory.mktemp("captures")):
        yield


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_looks_as_it_did(name: str) -> None:
    kept = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    assert captured(COMMANDS[name]) == kept, "look at it, then run python -m tests.kit.captures"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", COMMANDS)
def test_no_line_is_wider_than_the_terminal(name: str, width: int) -> None:
    wide = [line for line in shown(COMMANDS[name], width).out.splitlines() if cell_len(line) > width]
    assert not wide, "\n".join(wide)


@pytest.mark.parametrize("name", COMMANDS)
def test_no_name_of_an_option_is_broken_in_two(name: str) -> None:
    assert not re.search(r"--[a-z]+(-[a-z]+)*-$", shown(COMMANDS[name], WIDTHS[0]).out, re.MULTILINE)


def test_every_capture_is_of_a_command_that_is_there() -> None:
    assert {path.stem for path in Path(FOLDER).iterdir()} == set(COMMANDS)
