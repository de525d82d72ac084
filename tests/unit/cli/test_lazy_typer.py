"""Arguments: a slip is answered with what was probably meant, and options before the command reach it."""

import errno
import json
import sys
from pathlib import Path

import pytest

from predsurv.cli.app import main
from predsurv.cli.commands import config
from predsurv.cli.completion.table import read_table
from predsurv.cli.lazy_typer import run


@pytest.fixture(autouse=True)
def _no_configuration_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["scna"], "no command scna; did you mean scan?"),
        (["\x1b[2Jx"], "no command \N{REPLACEMENT CHARACTER}[2Jx; 'predsurv --help' lists them"),
        (["--nope"], "No such option: --nope; see 'predsurv --help'"),
        (["collect", "--venue", "kalshi"], "venues are named without it: 'predsurv collect polymarket'; see"),
        (["scan", "--venue=kalshi"], "venues are named without it: 'predsurv scan polymarket'; see"),
        (["keys", "check", "kalshi"], "a venue is named with --venue; see 'predsurv keys check --help'"),
        (["trade", "kalshi"], "a venue is named with --venue; see 'predsurv trade --help'"),
        (["logs", "--venue", "kalshi"], "No such option: --venue; see 'predsurv logs --help'"),
        (["halt", "kalshi"], "(kalshi); see 'predsurv halt --help'"),
        (["mine", "--top", "zero"], "see 'predsurv mine rank --help'"),
        (["config", "show", "--format", "xml"], "'xml' is not one of 'table', 'json', 'jsonl', 'csv'"),
        (["config", "show", "--config", "nowhere.toml"], "no configuration file nowhere.toml"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert says in captured.err
    assert len(captured.err.splitlines()) == 1


def valued() -> dict[str, str]:
    """Return an option that takes a value by the path of each command that has one."""
    table = read_table()
    options = {
        path: [name for name, option in words.options.items() if option.kind != "flag"]
        for path, words in table.commands.items()
    }
    return {path: names[-1] for path, names in options.items() if path and names}


@pytest.mark.parametrize(("path", "option"), [*valued().items()])
def test_an_option_without_its_value_leads_to_the_help_of_its_own_command(
    path: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for before in ([], ["--config", "mine"], ["--format=json", "--format", "table"]):
        assert main([*before, *path.split(), option]) == 2
        assert f"see 'predsurv {path} --help'" in capsys.readouterr().err


def test_the_help_of_a_command_names_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mine", "--help"]) == 0
    out = capsys.readouterr().out
    assert all(option in out for option in ("--top", "--html", "--config", "--format"))


def test_options_before_the_command_are_its_defaults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "my.toml"
    path.write_text("[miner]\ntop = 3\n")
    assert main(["--config", str(path), "--format", "json", "config", "show", "--changed"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"key": "miner.top", "value": "3", "origin": f"file {path}"}]


def test_the_commands_own_option_wins(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--format", "json", "config", "show", "--changed", "--format", "csv"]) == 0
    assert capsys.readouterr().out == "key,value,origin\n"


def test_the_version_after_another_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--format", "json", "--version"]) == 0
    assert capsys.readouterr().out.startswith("predsurv ")


def test_a_reader_that_has_gone_is_told_as_that_and_the_streams_are_ours_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def shows(_loaded: object, _format: str) -> None:
        raise BrokenPipeError(errno.EPIPE, "gone")

    stdout, stderr = sys.stdout, sys.stderr
    monkeypatch.setattr(config, "show", shows)
    with pytest.raises(BrokenPipeError):
        run(["config", "show"])
    assert (sys.stdout, sys.stderr) == (stdout, stderr)


def test_an_exit_code_of_a_command_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def shows(_loaded: object, _format: str) -> None:
        raise SystemExit(7)

    monkeypatch.setattr(config, "show", shows)
    with pytest.raises(SystemExit, match="7"):
        run(["config", "show"])
