"""The typer application: looks a command up in the table, imports it, runs it.

Imported by ``app`` only when a command is run: importing typer is the slowest step of starting.
"""

import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from predsurv import __version__
from predsurv.cli.command_table import SUBCOMMANDS, CliCommand, available, top_help
from predsurv.cli.options import ConfigFile, OutputFormat
from predsurv.cli.plain_values import read_plainly
from predsurv.cli.streams import ending_at_once
from predsurv.core.errors import ConfigError
from predsurv.core.text import sanitise

_WITH_VALUE: Final = ("--config", "--format")
"""The options that take a value before the command."""


class LazyGroup(TyperGroup):
    """The commands of the table, each imported when it is called."""

    def list_commands(self, ctx: object) -> list[str]:  # noqa: ARG002
        """Return the names of the commands, for completion."""
        return list(available())

    def get_command(self, ctx: object, cmd_name: str) -> Any:  # noqa: ARG002
        """Return the command with its options; raises ConfigError with the nearest name when there is none."""
        commands = available()
        if cmd_name not in commands:
            raise ConfigError(_unknown(cmd_name, commands))
        return _load(commands[cmd_name])

    def get_help(self, ctx: object) -> str:  # noqa: ARG002
        """Return the top-level help, the same text that ``app`` prints."""
        return top_help()


def run(arguments: Sequence[str]) -> int:
    """Parse ``arguments``, run the command, return its exit code; usage errors become ConfigError.

    Raises BrokenPipeError where a command does.
    """
    stdout, stderr = sys.stdout, sys.stderr
    try:
        group = typer.main.get_command(_app())
        read_plainly(group)
        code = group.main(list(arguments), prog_name="predsurv", standalone_mode=False)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except SystemExit as ended:  # what typer makes of a reader that has gone, with streams of its own
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
        sys.stdout, sys.stderr = stdout, stderr
        raise ended.__context__ from None
    except typer.TyperException as error:
        if below := _commands_of(error):
            path = _path(error, arguments)
            raise ConfigError(f"{path} needs a command: {', '.join(below)}; see '{path} --help'") from None
        path = _path(error, arguments)
        raise ConfigError(f"{_flat(error.format_message())}{_other_way(error, path)}; see '{path} --help'") from None
    return code if isinstance(code, int) else 0


def _app() -> typer.Typer:
    app = typer.Typer(cls=LazyGroup, rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)
    app.callback(invoke_without_command=False)(_top)
    return app


def _version(asked: bool) -> None:
    if asked:
        print(f"predsurv {__version__}")
        raise typer.Exit


def _top(
    ctx: typer.Context,
    config: ConfigFile = None,
    format: OutputFormat = "table",
    version: Annotated[bool, typer.Option("--version", is_eager=True, callback=_version)] = False,
) -> None:
    del version  # answered by its eager callback
    # Given before the command, these are defaults for it: the command's own options still win.
    shared: dict[str, object] = {}
    source = ctx.get_parameter_source("format")
    if source is not None and source.name != "DEFAULT":  # a command's own default may be another one
        shared["format"] = format
    if config is not None:
        shared["config"] = config
    # A command with commands of its own passes them on.
    below = {name: shared | dict.fromkeys(names, shared) for name, names in SUBCOMMANDS.items()}
    ctx.default_map = dict.fromkeys(available(), shared) | below


def _load(command: CliCommand) -> Any:
    with ending_at_once():
        target = getattr(import_module(command.module), command.attribute)
    if not isinstance(target, typer.Typer):
        function, target = target, typer.Typer(rich_markup_mode=None, add_completion=False)
        target.command(command.name)(function)
    return _prepared(typer.main.get_command(target))


def _prepared(command: Any) -> Any:
    """Let values be read quickly, and the first sentence about a command of a command be told whole: typer cuts it."""
    read_plainly(command)
    for each in getattr(command, "commands", {}).values():
        if not each.short_help and each.help:
            each.short_help = " ".join(each.help.partition("\n\n")[0].split())
        _prepared(each)
    return command


def _unknown(name: str, commands: dict[str, CliCommand]) -> str:
    near = get_close_matches(name, commands, n=1)
    hint = f"did you mean {near[0]}?" if near else "'predsurv --help' lists them"
    return f"no command {sanitise(name, 40)}; {hint}"


def _flat(message: str) -> str:
    return " ".join(message.replace("Value error, ", "").split()).rstrip(".")


def _commands_of(error: typer.TyperException) -> list[str]:
    """Return the commands of which a group got none, in which case typer's message is all of its help."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ != "NoArgsIsHelpError" or context is None:
        return []
    return list(getattr(context.command, "commands", {}))


def _other_way(error: typer.TyperException, path: str) -> str:
    """Return how a venue is named here where it was named as other commands want it: as an argument, or an option."""
    context = getattr(error, "ctx", None)
    parameters = [] if context is None else context.command.params
    if getattr(error, "option_name", "") == "--venue":
        named = [each for each in parameters if each.name in ("venue", "venues") and "--venue" not in each.opts]
        return f"; venues are named without it: '{path} polymarket'" if named else ""
    if "unexpected extra argument" in error.format_message() and any("--venue" in each.opts for each in parameters):
        return "; a venue is named with --venue"
    return ""


def _path(error: typer.TyperException, arguments: Sequence[str]) -> str:
    """Return the command whose help says more; the parser does not say which it was for an option without its value."""
    context = getattr(error, "ctx", None)
    if context is not None:
        return str(context.command_path).split(" [")[0]
    path, names, words = ["predsurv"], list(available()), iter(arguments)
    for word in words:
        if word in names:
            path.append(word)
            names = list(SUBCOMMANDS.get(word, ()))
        elif word in _WITH_VALUE and len(path) == 1:
            next(words, None)
        elif not word.startswith("-"):
            break
    return " ".join(path)
