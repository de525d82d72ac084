"""The table of completions, made of the commands; ``python -m tests.kit.completion_table`` writes it anew."""

import inspect
import re
from collections.abc import Iterator
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from predsurv.cli.command_table import available
from predsurv.cli.completion.grammar import CommandWords, OptionWords
from predsurv.cli.completion.table import PATH, CompletionTable, format_table
from predsurv.cli.lazy_typer import _load  # what completes is what is parsed
from predsurv.strategies.registry import STRATEGIES
from predsurv.venues.registry import VENUES

_KINDS: Final = {
    "VENUE": "venue",
    "DATE": "date",
    "DATE..DATE": "date",
    "RUN": "run",
    "MARKET": "market",
    "TEXT": "market",
    "FILE": "file",
    "DIR": "file",
    "NAME|module:Class|file.py:Class": "strategy",
}
_TOP: Final = ("--config", "--format")
_HELP: Final = {"--help": OptionWords("flag", "Show the options")}


def made() -> CompletionTable:
    """Return the table that the commands as they are give."""
    found: dict[str, CommandWords] = {}
    for command in available().values():
        found |= _words(command.name, command.help, _load(command))
    shared = {name: option for name, option in found["status"].options.items() if name in _TOP}
    top = {"--debug": "Show the traceback when something fails", "--version": "Show the version"}
    flags = {name: OptionWords("flag", about) for name, about in top.items()}
    commands = {"": CommandWords("", shared | flags | _HELP), **found}
    return CompletionTable(commands, tuple(VENUES), tuple(sorted(STRATEGIES)))


def _words(name: str, about: str, command: Any) -> Iterator[tuple[str, CommandWords]]:
    below = getattr(command, "commands", None)
    if not below:
        yield name, _single(about, command)
        return
    yield name, CommandWords(about, _HELP, default=getattr(command, "default", None))
    for word, each in below.items():
        text = (inspect.getdoc(each.callback) or "").splitlines()[0]
        yield from _words(f"{name} {word}", text.rstrip("."), each)


def _single(about: str, command: Any) -> CommandWords:
    hints = get_type_hints(command.callback)
    options: dict[str, OptionWords] = {}
    arguments: list[str] = []
    repeats = False
    for param in command.params:
        kind = "flag" if getattr(param, "is_flag", False) else _kind(param.metavar, hints.get(param.name))
        if param.opts[0].startswith("-"):
            options |= {each: OptionWords(kind, (param.help or "").rstrip(".")) for each in param.opts}
        else:
            arguments.append(kind)
            repeats = param.nargs != 1
    return CommandWords(about, options | _HELP, tuple(arguments), repeats)


def _kind(metavar: str | None, hint: Any) -> str:
    for each in (hint, *get_args(hint)):
        if get_origin(each) is Literal:
            return "|".join(get_args(each)) + ("|" if len(get_args(each)) == 1 else "")
    bare = re.sub(r"^\[(.*)\]$", r"\1", (metavar or "").removesuffix("..."))
    return _KINDS.get(bare, _KINDS.get(bare.replace("[", "").replace("]", ""), "value"))


if __name__ == "__main__":
    PATH.write_text(format_table(made()), encoding="utf-8")
