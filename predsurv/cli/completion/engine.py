"""Candidates for the word under the cursor."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from predsurv.cli.completion import places
from predsurv.cli.completion.grammar import CommandWords, Kind, ParsedWords, meant, parse
from predsurv.cli.completion.table import CompletionTable, read_table

FILES: Final = ":files"
"""Printed instead of candidates: the shell completes the name of a file."""


class CompletionWord(NamedTuple):
    """A word that may stand there, and a line about it."""

    word: str
    help: str = ""


def answer(shell: str, words: Sequence[str], environ: Mapping[str, str]) -> str:
    """Return what the script of ``shell`` reads: a candidate a line, with a tab and its help where the shell shows it.

    ``words``: those after the program's name, the last one that under the cursor.
    """
    told = _joined(words) if shell == "bash" else list(words)
    current = told[-1] if told else ""
    found = candidates(told, environ)
    if found is None:
        return f"{FILES}\n"
    cut = current.rpartition("=")[0] + "=" if shell == "bash" and "=" in current else ""  # bash breaks words there
    lines = [each.word.removeprefix(cut) + ("" if shell == "bash" else f"\t{each.help}") for each in found]
    return "".join(f"{line}\n" for line in lines)


def candidates(words: Sequence[str], environ: Mapping[str, str]) -> list[CompletionWord] | None:
    """Return what the last of ``words`` may become, None where it is the name of a file."""
    current = words[-1] if words else ""
    table = read_table()
    said = parse(table.commands, words[:-1])
    here = meant(table.commands, said.command)
    values = _Values(table, said, environ)
    if said.value_of is not None:
        return values.of(here.options[said.value_of].kind, current)
    if current.startswith("-") and not said.closed:
        name, equals, value = current.partition("=")
        if not equals:
            return [
                CompletionWord(each, option.help) for each, option in here.options.items() if each.startswith(current)
            ]
        found = values.of(here.options[name].kind if name in here.options else "value", value)
        return None if found is None else [CompletionWord(f"{name}={each.word}", each.help) for each in found]
    below = list(_commands(table, said.command, current)) if not said.arguments else []
    found = values.of(_kind(here, len(said.arguments)), current)
    return found if found is None else below + found


def _commands(table: CompletionTable, command: str, current: str) -> Iterator[CompletionWord]:
    for name, each in table.commands.items():
        parent, _, word = name.rpartition(" ")
        if name and parent == command and word.startswith(current):
            yield CompletionWord(word, each.help)


def _kind(command: CommandWords, index: int) -> Kind:
    if index < len(command.arguments):
        return command.arguments[index]
    return command.arguments[-1] if command.repeats and command.arguments else "value"


class _Values:
    """What a word of some kind may be, after what was said before it."""

    def __init__(self, table: CompletionTable, said: ParsedWords, environ: Mapping[str, str]) -> None:
        self._table = table
        self._said = said
        self._environ = environ

    def of(self, kind: Kind, current: str) -> list[CompletionWord] | None:
        """Return the words that begin with ``current``, None where it is the name of a file."""
        if kind == "file":
            return None
        if kind == "market":
            return [CompletionWord(*each) for each in places.markets(self._folder(), current)]
        return [CompletionWord(word) for word in self._words(kind, current) if word.startswith(current)]

    def _folder(self) -> Path:
        return places.data_dir(self._said.given, self._environ)

    def _words(self, kind: Kind, current: str) -> Sequence[str]:
        if kind == "venue":
            return [each for each in self._table.venues if each not in self._said.arguments]
        if kind == "date":
            first = current.rpartition("..")[0]
            days = places.dates(self._folder(), self._said.arguments)
            return [f"{first}..{day}" for day in days] if first else days
        if kind == "run":
            return ["latest", *places.runs(self._folder())]
        if kind == "strategy":
            return self._table.strategies
        return [word for word in kind.split("|") if word] if "|" in kind else ()


def _joined(words: Sequence[str]) -> list[str]:
    """Return words as they were typed: bash breaks ``--format=json`` at the equals sign, into three."""
    told: list[str] = []
    for index, word in enumerate(words):
        follows = index > 0 and words[index - 1] == "=" and len(told) > 0
        if told and (word == "=" or (follows and told[-1].endswith("="))):
            told[-1] += word
        else:
            told.append(word)
    return told
