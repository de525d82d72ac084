"""``predsurv redeem --dry-run``: what can be turned into money without a trade, and what it would pay."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from predsurv.cli.commands.live_account import venue_of_account
from predsurv.cli.options import ConfigFile, OutputFormat
from predsurv.cli.output.columns import dollars
from predsurv.cli.output.render import Column, Table, Value, say, show
from predsurv.config import Config, load
from predsurv.core.errors import ConfigError
from predsurv.core.num import Money
from predsurv.net.clock import SystemClock, system_random
from predsurv.net.http import Http
from predsurv.venues.polymarket.account.redemption import Redeemable, redeemables
from predsurv.venues.polymarket.execution.login import wallet_address
from predsurv.venues.polymarket.positions_rest import wallet_positions

_COLUMNS: Final = (
    Column("action", "Action", keep=9),
    Column("question", "Market", keep=7),
    Column("outcome", "Outcome", keep=6),
    Column("shares", "Shares", "micros", keep=8),
    Column("pays", "Would pay", "micros", "$", keep=9),
    Column("contract", "At", keep=4),
    Column("market_id", "Market id", keep=0),
)
_NOT_SENT: Final = "nothing was sent: predsurv redeems nothing, do it at polymarket.com or at the contract named here"
_KALSHI: Final = (
    "kalshi pays settled markets out and nets the outcomes of a market by itself: nothing is to be redeemed or merged"
)


def redeem(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List it; nothing is ever sent.")] = False,
    venue: Annotated[str | None, typer.Option("--venue", metavar="VENUE", help="Whose account.")] = None,
    config: ConfigFile = None,
    format: OutputFormat = "table",
) -> None:
    """List what of a live account can be redeemed or merged, and what it would pay."""
    if not dry_run:
        raise ConfigError("redeem: only --dry-run is there; predsurv sends nothing to the chain")
    loaded = load(config).config
    if venue_of_account(loaded, venue) == "kalshi":
        say(_KALSHI)
        show(_table((), "nothing is ever to be redeemed here"), format)
        return
    wallet, found = asyncio.run(_found(loaded))
    say(f"wallet {wallet}; {_NOT_SENT}")
    show(_table(found, "nothing is to be redeemed or merged"), format)


async def _found(config: Config) -> tuple[str, Sequence[Redeemable]]:
    wallet = wallet_address(config)
    http = Http(SystemClock(), system_random)
    http.forbid_writes()
    try:
        return wallet, redeemables(await wallet_positions(config.venues.polymarket.data_url, wallet, http))
    finally:
        await http.aclose()


def _table(found: Sequence[Redeemable], empty: str) -> Table:
    rows = [_row(each) for each in found]
    amount = dollars(Money(sum(each.amount or 0 for each in found)))
    unknown = sum(each.amount is None for each in found)
    note = f"in all {amount}, as the venue's Data API states what shares pay; gas is not counted"
    note += f"; {unknown} of unknown payout, not counted" if unknown else ""
    return Table("redeem", "Can be redeemed or merged", _COLUMNS, rows, note if rows else "", empty=empty)


def _row(each: Redeemable) -> Sequence[Value]:
    return (each.kind, each.title, each.outcome, each.size, each.amount, each.contract, each.market_id)
