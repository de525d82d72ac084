"""The table of commands (name, one-line help, module) and the top-level help generated from it.

Imports no command module.
"""

from importlib.util import find_spec
from itertools import groupby
from operator import attrgetter
from typing import Final, NamedTuple

_USAGE: Final = "Usage: predsurv [--config FILE] [--format FORMAT] [--debug] COMMAND [ARGS]..."
_ABOUT: Final = "Prediction markets: list them, record them without silent gaps, mine, trade."
_OPTIONS: Final = """\
Options:
  --config FILE   Configuration; default config/surveillance.toml if it is there
  --format FORMAT table, json, jsonl or csv; default table
  --debug         Show the traceback when something fails
  --version       Show the version
  --help          Show this, or after a command its options

Data goes to stdout, progress to stderr. Exit codes: 0 done, 1 failed,
2 usage or configuration, 3 venue unreachable, 4 data damaged,
5 refused for safety, 130 interrupted before its end.
New here? Try: predsurv demo"""


class CliCommand(NamedTuple):
    """One command: ``attribute`` of ``module`` is a function with typer options, or a ``Typer`` of subcommands."""

    name: str
    group: str
    module: str
    attribute: str
    help: str


COMMANDS: Final = (
    CliCommand("init", "Set up", "predsurv.cli.commands.init", "init", "Write a commented configuration file"),
    CliCommand(
        "doctor", "Set up", "predsurv.cli.commands.doctor", "doctor", "Check that everything needed is in place"
    ),
    CliCommand(
        "config", "Set up", "predsurv.cli.commands.config", "config", "Show every setting and where it came from"
    ),
    CliCommand(
        "demo", "Set up", "predsurv.cli.commands.demo", "demo", "Run the whole chain on made-up markets in a minute"
    ),
    CliCommand(
        "completion", "Set up", "predsurv.cli.commands.completion", "completion", "Let the shell complete command lines"
    ),
    CliCommand("scan", "Record", "predsurv.cli.commands.scan", "scan", "List every market of the venues"),
    CliCommand(
        "collect", "Record", "predsurv.cli.commands.collect", "collect", "Record order books and trades, gaps included"
    ),
    CliCommand(
        "status", "Record", "predsurv.cli.commands.status", "status", "Show how much of the wanted time was recorded"
    ),
    CliCommand("logs", "Record", "predsurv.cli.commands.logs", "logs", "Show and follow the logs of what runs"),
    CliCommand(
        "watch", "Record", "predsurv.cli.commands.watch", "watch", "Tell when something goes wrong or a market settles"
    ),
    CliCommand(
        "verify", "Record", "predsurv.cli.commands.verify", "verify", "Check every recorded file against its checksum"
    ),
    CliCommand(
        "compact",
        "Record",
        "predsurv.cli.commands.compact",
        "compact",
        "Make one file of each recorded hour that is over",
    ),
    CliCommand(
        "import",
        "Record",
        "predsurv.cli.commands.import_recording",
        "import_command",
        "Record the files of somebody else's recording",
    ),
    CliCommand(
        "export",
        "Record",
        "predsurv.cli.commands.export",
        "export",
        "Write a recording for other programs and other people",
    ),
    CliCommand("markets", "Analyse", "predsurv.cli.commands.markets", "markets", "Search the venues' lists of markets"),
    CliCommand(
        "book", "Analyse", "predsurv.cli.commands.book", "book", "Show the recorded book of a market at a moment"
    ),
    CliCommand(
        "mine", "Analyse", "predsurv.cli.commands.mine", "mine", "Rank a day's markets by what happened in them"
    ),
    CliCommand("sql", "Analyse", "predsurv.cli.commands.sql", "sql", "Ask the recorded files in SQL"),
    CliCommand("map", "Analyse", "predsurv.cli.commands.map", "map_", "Find the same market on different venues"),
    CliCommand(
        "strategies", "Trade", "predsurv.cli.commands.strategies", "strategies", "List strategies and their parameters"
    ),
    CliCommand("trade", "Trade", "predsurv.cli.commands.trade", "trade", "Run strategies, on paper or live"),
    CliCommand("backtest", "Trade", "predsurv.cli.commands.trade", "backtest", "Run strategies over recorded days"),
    CliCommand("runs", "Trade", "predsurv.cli.commands.runs", "runs", "List, show, compare and replay what was run"),
    CliCommand("replay", "Trade", "predsurv.cli.commands.runs", "replay", "Run a paper run again from its recording"),
    CliCommand("portfolio", "Trade", "predsurv.cli.commands.portfolio", "portfolio", "Show positions, cash and profit"),
    CliCommand("orders", "Trade", "predsurv.cli.commands.orders", "orders", "Show and cancel orders of a live account"),
    CliCommand("keys", "Trade", "predsurv.cli.commands.keys", "keys", "Check the key that signs real orders"),
    CliCommand("redeem", "Trade", "predsurv.cli.commands.redeem", "redeem", "List what can be redeemed or merged"),
    CliCommand("halt", "Trade", "predsurv.cli.commands.trade", "halt", "Stop all trading until resumed"),
    CliCommand("resume", "Trade", "predsurv.cli.commands.trade", "resume", "Allow trading again"),
    CliCommand(
        "simulate",
        "Test",
        "predsurv.cli.commands.simulate",
        "simulate",
        "Serve a venue's protocol locally, with faults",
    ),
)

SUBCOMMANDS: Final = {
    "runs": ("list", "show", "compare", "twin", "replay"),
    "mine": ("rank", "explain", "episodes", "tables", "totals"),
    "export": ("hftbacktest", "nautilus", "release", "taxes"),
    "orders": ("cancel",),
    "keys": ("check",),
    "map": ("build", "list", "review", "score"),
}
"""The commands below a command."""


def available() -> dict[str, CliCommand]:
    """Return the installed commands by name, in the order of the help, without importing them."""
    return {command.name: command for command in COMMANDS if find_spec(command.module) is not None}


def top_help() -> str:
    """Return the top-level help text: one line per command."""
    parts = [_USAGE, "", _ABOUT]
    for group, commands in groupby(available().values(), key=attrgetter("group")):
        parts += ["", f"{group}:", *(f"  {command.name:<10} {command.help}" for command in commands)]
    return "\n".join([*parts, "", _OPTIONS])
