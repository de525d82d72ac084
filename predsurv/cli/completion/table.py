"""The words of every command line, read from ``words.json``, which ``python -m tests.kit.completion_table`` writes."""

import json
from pathlib import Path
from typing import Final, NamedTuple

from predsurv.cli.completion.grammar import CommandWords, OptionWords

PATH: Final = Path(__file__).with_name("words.json")


class CompletionTable(NamedTuple):
    """The words of commands by name, the whole program's under an empty one; what venues and strategies there are."""

    commands: dict[str, CommandWords]
    venues: tuple[str, ...]
    strategies: tuple[str, ...]


def read_table() -> CompletionTable:
    """Return the table as it is on disk."""
    told = json.loads(PATH.read_bytes())
    commands = {
        name: CommandWords(
            each["help"],
            {option: OptionWords(*words) for option, words in each["options"].items()},
            tuple(each.get("arguments", ())),
            each.get("repeats", False),
            each.get("default"),
        )
        for name, each in told["commands"].items()
    }
    return CompletionTable(commands, tuple(told["venues"]), tuple(told["strategies"]))


def format_table(table: CompletionTable) -> str:
    """Return the table as it is on disk, a command a line."""
    lines = []
    for name, each in table.commands.items():
        told: dict[str, object] = {"help": each.help, "options": each.options}
        told |= {"arguments": each.arguments} if each.arguments else {}
        told |= {"repeats": True} if each.repeats else {}
        told |= {"default": each.default} if each.default else {}
        lines.append(f"  {json.dumps(name)}: {json.dumps(told, ensure_ascii=False)}")
    body = ",\n".join(lines)
    venues, strategies = json.dumps(table.venues), json.dumps(table.strategies)
    return f'{{\n "venues": {venues},\n "strategies": {strategies},\n "commands": {{\n{body}\n }}\n}}\n'
