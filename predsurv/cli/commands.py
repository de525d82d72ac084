"""The table of commands: what each is called, what it does in one line, where it lives; and the help made of it.

Kept apart from the modules themselves so that the top-level help lists everything and imports nothing.
"""

from importlib.util import find_spec
from itertools import groupby
from operator import attrgetter
from typing import Final, NamedTuple

_USAGE: Final = "Usage: predsurv [--config FILE] [--format FORMAT] [--debug] COMMAND [ARGS]..."
_ABOUT: Final = "Prediction markets: scan the universe, record it without silent gaps, mine it, trade on it."
_OPTIONS: Final = """\
Options:
  --config FILE   Configuration; default config/surveillance.toml if it is there
  --format FORMAT table, json, jsonl or csv; default table
  --debug         Show the traceback when something fails
  --version       Show the version
  --help          Show this, or after a command its options

Data goes to stdout, progress to stderr. Exit codes: 0 done, 1 failed, 2 usage or configuration,
3 venue unreachable, 4 data damaged, 5 refused for safety. New here? Try: predsurv demo"""


class Command(NamedTuple):
    """One command: ``attribute`` of ``module`` is a function with typer options, or a ``Typer`` of subcommands."""

    name: str
    group: str
    module: str
    attribute: str
    help: str


COMMANDS: Final = (
    Command("init", "Set up", "predsurv.cli.init", "init", "Write a commented configuration file"),
    Command("doctor", "Set up", "predsurv.cli.doctor", "doctor", "Check that everything needed is in place"),
    Command("config", "Set up", "predsurv.cli.config", "config", "Show every setting and where it came from"),
    Command("demo", "Set up", "predsurv.cli.demo", "demo", "Run the whole chain on made-up markets in a minute"),
    Command("scan", "Record", "predsurv.cli.scan", "scan", "List every market of the venues"),
    Command("collect", "Record", "predsurv.cli.collect", "collect", "Record order books and trades, gaps included"),
    Command("status", "Record", "predsurv.cli.status", "status", "Show how much of the wanted time was recorded"),
    Command("verify", "Record", "predsurv.cli.status", "verify", "Check every recorded file against its checksum"),
    Command("compact", "Record", "predsurv.cli.compact", "compact", "Make one file of each recorded hour that is over"),
    Command("mine", "Analyse", "predsurv.cli.mine", "mine", "Rank a day's markets by what happened in them"),
    Command("map", "Analyse", "predsurv.cli.map", "map_", "Find the same market on different venues"),
    Command("trade", "Trade", "predsurv.cli.trade", "trade", "Run strategies, on paper or live"),
    Command("backtest", "Trade", "predsurv.cli.trade", "backtest", "Run strategies over recorded days"),
    Command("portfolio", "Trade", "predsurv.cli.trade", "portfolio", "Show positions, cash and profit"),
    Command("halt", "Trade", "predsurv.cli.trade", "halt", "Stop all trading until resumed"),
    Command("resume", "Trade", "predsurv.cli.trade", "resume", "Allow trading again"),
    Command("simulate", "Test", "predsurv.cli.simulate", "simulate", "Serve a venue's protocol locally, with faults"),
)


def available() -> dict[str, Command]:
    """Return the commands that this installation has, by name, in the order of the help; imports none of them."""
    return {command.name: command for command in COMMANDS if find_spec(command.module) is not None}


def top_help() -> str:
    """Return the help of the program: every command there is, with its one line."""
    parts = [_USAGE, "", _ABOUT]
    for group, commands in groupby(available().values(), key=attrgetter("group")):
        parts += ["", f"{group}:", *(f"  {command.name:<10} {command.help}" for command in commands)]
    return "\n".join([*parts, "", _OPTIONS])
