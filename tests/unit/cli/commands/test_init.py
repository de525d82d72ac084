"""The file that ``init`` writes is the documented one, loads, and never replaces another."""

from pathlib import Path

import pytest

from predsurv.cli.app import main
from predsurv.cli.commands.init import strategy_files, template
from predsurv.config import Config, load

ROOT = Path(__file__).resolve().parents[4]


def test_the_template_is_the_documented_configuration() -> None:
    assert template() == (ROOT / "config" / "surveillance.toml").read_text("utf-8")


def test_what_is_written_holds_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "config" / "surveillance.toml"
    assert main(["init", "--out", str(path)]) == 0
    assert load(path).config == Config()


def test_a_new_strategy_and_its_test_read_well_whatever_its_name() -> None:
    written = strategy_files("FadeTheMove")
    assert list(written) == ["fade_the_move.py", "test_fade_the_move.py"]
    words = "\n".join(written.values()).replace("test_fade_the_move.py", "").replace("strategies.fade_the_move", "")
    assert [line for line in words.splitlines() if "fade_the_move" in line] == ["from fade_the_move import FadeTheMove"]


def test_a_file_that_is_there_is_not_touched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("precious")
    assert main(["init", "--out", str(path)]) == 2
    assert "not touched" in capsys.readouterr().err
    assert path.read_text() == "precious"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["init", "--out", str(tmp_path / "file" / "x.toml")]) == 2
    assert "cannot be written" in capsys.readouterr().err
