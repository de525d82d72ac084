"""``predsurv orders``: the open orders of a live account as its venue has them, those nobody knows of, and cancels."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from predsurv.cli.commands.live_account import opened_account, venue_of_account
from predsurv.cli.options import ConfigFile, OutputFormat
from predsurv.cli.output.render import Column, Table, Value, say, show
from predsurv.config import Config, load
from predsurv.core.errors import ConfigError
from predsurv.core.ids import OrderId, VenueName
from predsurv.core.market import Market
from predsurv.core.orders import Order
from predsurv.core.text import sanitise
from predsurv.net.clock import SystemClock
from predsurv.trade.journal import OrderJournal, restore
from predsurv.trade.live.account_names import live_journals
from predsurv.trade.market_lists import known_markets_of
from predsurv.venues.account_reports import NOBODY, order_at_venue
from predsurv.venues.answers import Verdict
from predsurv.venues.execution.mass_cancel import MassCancel

_ORDERS: Final = (
    Column("venue", "Venue", keep=4),
    Column("order_id", "Order", keep=9, fit="whole"),
    Column("client_order_id", "Our id", keep=3),
    Column("strategy", "Strategy", keep=6),
    Column("question", "Market", keep=9),
    Column("outcome", "Outcome", keep=9),
    Column("side", "Side", keep=9),
    Column("price", "Price", "micros", "$", places=4, keep=9),
    Column("size", "Size", "micros", keep=9),
    Column("filled", "Filled", "micros", keep=8),
    Column("state", "State", keep=9),
    Column("instrument_id", "Instrument", keep=2),
)

Venue = Annotated[str | None, typer.Option("--venue", metavar="VENUE", help="Whose orders; default: the live account.")]

orders = typer.Typer(rich_markup_mode=None, add_completion=False, help="Orders of a live account.")


@orders.callback(invoke_without_command=True)
def show_orders(
    ctx: typer.Context, *, venue: Venue = None, config: ConfigFile = None, format: OutputFormat = "table"
) -> None:
    """Show the open orders that the venue has, and those of which nobody knows what became; needs the key."""
    if ctx.invoked_subcommand is not None:
        return
    loaded = load(config).config
    found = asyncio.run(_open_orders(loaded, venue_of_account(loaded, venue)))
    cache = known_markets_of(loaded.data_dir, {each.key for each in found}, SystemClock().now())
    rows = [_row(each, cache.market(each.key.venue, each.key.market_id)) for each in found]
    show(Table("orders", "Open orders", _ORDERS, rows, empty="no order is open"), format, named=True)


@orders.command()
def cancel(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ORDER", help="The venue's ids of orders.")] = None,
    *,
    all: Annotated[bool, typer.Option("--all", help="Every open order of the account, whoever placed it.")] = False,
    venue: Venue = None,
    config: ConfigFile = None,
) -> int:
    """Cancel orders at the venue; exit 1 when one of them is still open afterwards, or none of that id was open."""
    if bool(ids) == all:
        raise ConfigError("orders cancel: name the orders to cancel, or --all")
    loaded = load(config).config
    name = venue_of_account(loaded, venue)
    wanted = None if all else frozenset(each.lower() for each in ids or ())
    return 0 if asyncio.run(_cancel(loaded, name, wanted)) else 1


async def _open_orders(config: Config, venue: str) -> Sequence[Order]:
    known = _journalled(config, VenueName(venue))
    async with opened_account(config, venue) as account:
        state = await account.reader.account(SystemClock().now(), ())
        there = [order_at_venue(report) for report in state.orders]
    ids = {str(each.order_id).lower(): each for each in known}
    shown = [ids.get(str(each.order_id).lower(), each) for each in there]
    return [*shown, *(each for each in known if each.state == "unknown" and each not in shown)]


async def _cancel(config: Config, venue: str, wanted: frozenset[str] | None) -> bool:
    """Cancel, and return whether every wanted order was open before and none is afterwards."""
    async with opened_account(config, venue) as account:
        cancelling = MassCancel(account, SystemClock(), wanted, _tell)
        left = await cancelling.run()
    found = cancelling.found
    strange = sorted((wanted or frozenset()) - {each.lower() for each in found})
    for order_id in strange:
        say(f"{sanitise(order_id, 80)}: no order of this id is open; 'predsurv orders --venue {venue}' lists those")
    if found:
        say(f"{len(found) - len(left)} of {len(found)} orders are not open any more")
    elif wanted is None:
        say("no order was open")
    return not left and not strange


def _tell(order_id: OrderId, verdict: Verdict) -> None:
    words = {"accepted": "cancelled", "unknown": f"not known whether it is cancelled: {verdict.reason}"}
    say(f"{sanitise(order_id, 80)}: {words.get(verdict.fate, f'not cancelled: {verdict.reason}')}")


def _journalled(config: Config, venue: VenueName) -> Sequence[Order]:
    """Return the orders at a venue that may be open by the journals of its account, none without one."""
    found = list[Order]()
    for path in live_journals(config, venue):
        journal = OrderJournal(path, readonly=True)
        try:
            found += (each for each in restore(journal.entries()).account.orders.live() if each.key.venue == venue)
        finally:
            journal.close()
    return found


def _row(order: Order, market: Market | None) -> Sequence[Value]:
    labels = {} if market is None else {each.instrument_id: each.label for each in market.outcomes}
    return (
        order.key.venue,
        order.order_id or "",
        "" if order.strategy == NOBODY else order.client_order_id,
        order.strategy,
        order.key.market_id if market is None else market.question,
        labels.get(order.key.instrument_id, ""),
        order.side,
        order.price,
        order.size,
        order.filled,
        order.state,
        order.key.instrument_id,
    )
