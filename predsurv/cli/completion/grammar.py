"""What the words of a command line may be: the form of the table of completions, and how words are read by it."""

from collections.abc import Sequence
from typing import Final, NamedTuple

Kind = str
"""What a word is: ``flag`` takes no value; ``value`` one that nobody can guess; ``venue``, ``date``, ``run``,
``market``, ``strategy``, ``file`` are looked up; ``a|b`` is one of these words."""


class OptionWords(NamedTuple):
    """An option: the kind of its value, and a line about it."""

    kind: Kind
    help: str


class CommandWords(NamedTuple):
    """A command: a line about it, its options by name, the kinds of its arguments in their order.

    ``repeats``: the last argument may be given again. ``default``: of a command with commands of its own the one that
    is meant where none is named, None where one has to be.
    """

    help: str
    options: dict[str, OptionWords]
    arguments: tuple[Kind, ...] = ()
    repeats: bool = False
    default: str | None = None


class ParsedWords(NamedTuple):
    """The words before the one to complete: the ``command`` (such as ``mine rank``), what was given to it so far.

    ``value_of``: the option whose value comes next, None where there is none. ``closed``: there was a ``--``.
    """

    command: str
    arguments: tuple[str, ...]
    given: dict[str, str]
    value_of: str | None
    closed: bool


_ROOT: Final = ""


def parse(table: dict[str, CommandWords], words: Sequence[str]) -> ParsedWords:
    """Return what ``words`` say by ``table``, as far as they say anything: unknown options are taken for flags."""
    command, closed, value_of = _ROOT, False, None
    arguments: list[str] = []
    given: dict[str, str] = {}
    for word in words:
        if value_of is not None:
            given[value_of], value_of = word, None
        elif not closed and word == "--":
            closed = True
        elif not closed and word.startswith("-") and word != "-":
            name, equals, value = word.partition("=")
            option = meant(table, command).options.get(name)
            given[name] = value
            value_of = name if option is not None and option.kind != "flag" and not equals else None
        elif (below := f"{command} {word}".strip()) in table and not arguments:
            command = below
        else:
            arguments.append(word)
    return ParsedWords(command, tuple(arguments), given, value_of, closed)


def meant(table: dict[str, CommandWords], command: str) -> CommandWords:
    """Return the words of ``command``, or those of its default where it has commands of its own."""
    own = table[command]
    return own if own.default is None else table[f"{command} {own.default}"]
