"""``predsurv keys check``: whose key it is, and what can stand in the way of trading with it."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from predsurv.cli.commands.live_account import opened_account, venue_of_account
from predsurv.cli.options import ConfigFile, OutputFormat
from predsurv.cli.output.render import Column, Table, show
from predsurv.config import Config, load
from predsurv.venues.execution.gateway import AccountFact

_FACTS: Final = (
    Column("fact", "Fact", keep=9, fit="whole"),
    Column("value", "Value", keep=9),
    Column("verdict", "", keep=9, fit="whole"),
)
_VERDICTS: Final = {True: "ok", False: "in the way", None: ""}

keys = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True, help="Keys for real orders.")


@keys.callback()
def _keys() -> None:
    """Say who the key in the environment is at a venue; no part of it is ever shown."""


@keys.command()
def check(
    *,
    venue: Annotated[str | None, typer.Option("--venue", metavar="VENUE", help="Whose key.")] = None,
    config: ConfigFile = None,
    format: OutputFormat = "table",
) -> int:
    """Log in with the key in the environment, and show account, clock, cash, allowances and limits."""
    loaded = load(config).config
    name = venue_of_account(loaded, venue)
    facts = asyncio.run(_facts(loaded, name))
    rows = [(each.name, each.value, _VERDICTS[each.is_good]) for each in facts]
    show(Table("keys", f"Key for {name}", _FACTS, rows), format)
    return 1 if any(each.is_good is False for each in facts) else 0


async def _facts(config: Config, venue: str) -> Sequence[AccountFact]:
    async with opened_account(config, venue) as account:
        return await account.describe()
