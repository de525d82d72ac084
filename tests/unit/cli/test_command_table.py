"""The table of commands tells the truth."""

import inspect
from importlib import import_module

import pytest
import typer

from predsurv.cli import command_table as commands
from predsurv.cli.command_table import COMMANDS, CliCommand, available


@pytest.mark.parametrize("command", available().values(), ids=lambda command: command.name)
def test_every_listed_command_is_there_and_takes_the_shared_options(command: CliCommand) -> None:
    target = getattr(import_module(command.module), command.attribute)
    assert inspect.getdoc(target)


def test_names_are_unique_and_help_fits_a_line() -> None:
    assert len({command.name for command in COMMANDS}) == len(COMMANDS)
    assert all(len(command.help) <= 60 and not command.help.endswith(".") for command in COMMANDS)


@pytest.mark.parametrize("command", available().values(), ids=lambda command: command.name)
def test_shared_options_before_a_command_reach_every_command_below_it(command: CliCommand) -> None:
    target = getattr(import_module(command.module), command.attribute)
    commands_below = target.registered_commands if isinstance(target, typer.Typer) else []
    below = {each.name or getattr(each.callback, "__name__", "") for each in commands_below}
    takes_none = {"completion", "config", "simulate", "import"}
    assert set(commands.SUBCOMMANDS.get(command.name, ())) == below or command.name in takes_none


def test_a_command_that_is_not_there_is_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    ghost = CliCommand("ghost", "Set up", "predsurv.cli.ghost", "ghost", "Haunt")
    monkeypatch.setattr(commands, "COMMANDS", (*COMMANDS, ghost))
    assert "ghost" not in available()
