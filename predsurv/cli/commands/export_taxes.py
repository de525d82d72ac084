"""``predsurv export taxes``: purchases and disposals of an account, lot by lot, for a tax return."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Final

import typer

from predsurv.cli.commands.dates import span_of
from predsurv.cli.commands.journals import ReadJournal, chosen_account, read_journal
from predsurv.cli.options import ConfigFile, OutputFormat
from predsurv.cli.output.columns import dollars
from predsurv.cli.output.render import Column, Table, Value, say, show
from predsurv.config import Config, load
from predsurv.core.errors import ConfigError
from predsurv.core.ids import InstrumentId, InstrumentKey
from predsurv.core.text import sanitise
from predsurv.net.clock import SystemClock
from predsurv.state.market_cache import MarketCache
from predsurv.store.layout import NS_DAY
from predsurv.trade.market_lists import known_markets_of
from predsurv.trade.results.taxes import DISPOSALS, TaxRow, TaxTotals, tax_ledger
from predsurv.trade.runs.folder import find_run
from predsurv.trade.runs.info import JOURNAL_FILE

_ROWS: Final = (
    Column("kind", "Kind", keep=9),
    Column("date", "Date", "time", "UTC", keep=9),
    Column("venue", "Venue", keep=5),
    Column("question", "Market", keep=8),
    Column("outcome", "Outcome", keep=8),
    Column("quantity", "Shares", "micros", keep=9),
    Column("acquired", "Acquired", "time", "UTC", keep=7),
    Column("proceeds", "Proceeds", "micros", "$", keep=8),
    Column("cost_basis", "Cost basis", "micros", "$", keep=8),
    Column("fees", "Fees", "micros", "$", keep=7),
    Column("gain", "Gain", "micros", "$", keep=9),
    Column("held_days", "Held", "int", "days", keep=6),
    Column("market_id", "Market id", keep=1),
    Column("instrument_id", "Instrument", keep=1),
    Column("trade_id", "Trade", keep=0),
)


def taxes(
    *,
    mode: Annotated[
        str | None, typer.Option("--mode", metavar="MODE", help="The account; default: the one last traded with.")
    ] = None,
    run: Annotated[str | None, typer.Option("--run", metavar="RUN", help="A backtest instead of an account.")] = None,
    dates: Annotated[
        str | None, typer.Option("--dates", metavar="DATE[..DATE]", help="Only rows of these UTC days.")
    ] = None,
    config: ConfigFile = None,
    format: OutputFormat = "csv",
) -> None:
    """Write every purchase and disposal, first in, first out: date, shares, proceeds, cost, fees, gain, days held.

    A disposal has a row for each lot that it sold. Settlements are disposals, payouts of void markets returns. Money is
    exact, and the totals are the account's. Which law applies to you is not known here: it is a record, no advice.
    """
    settings = load(config).config
    account = _account(settings, mode, run)
    rows, totals = tax_ledger(account.entries)
    span = None if dates is None else span_of(dates)
    chosen = [row for row in rows if span is None or span.start <= row.ts < span.end]
    keys = {InstrumentKey(row.venue, row.market_id, InstrumentId(row.instrument_id)) for row in chosen if row.market_id}
    cache = known_markets_of(settings.data_dir, keys, SystemClock().now())
    show(Table("taxes", f"Disposals of {account.mode}", _ROWS, [_row(each, cache) for each in chosen]), format)
    _say(account, chosen, totals, whole=span is None)


def _account(settings: Config, mode: str | None, run: str | None) -> ReadJournal:
    if run is None:
        return chosen_account(settings.data_dir, mode, None, say)
    if mode is not None:
        raise ConfigError("--run is one backtest, --mode an account: name one of them")
    folder = find_run(settings.data_dir, run)
    if not folder.account.startswith("backtest"):
        raise ConfigError(
            f"{sanitise(folder.run, 80)} went on with an account: name that with --mode {folder.account}, and --dates"
        )
    return read_journal(folder.account, folder.file(JOURNAL_FILE))


def _row(row: TaxRow, cache: MarketCache) -> Sequence[Value]:
    market = cache.market(row.venue, row.market_id) if row.market_id else None
    outcomes = {} if market is None else {each.instrument_id: each.label for each in market.outcomes}
    disposed = row.kind in DISPOSALS
    return (
        row.kind,
        row.ts,
        row.venue,
        None if market is None else market.question,
        outcomes.get(InstrumentId(row.instrument_id)),
        row.quantity,
        row.acquired,
        row.proceeds if disposed or row.proceeds else None,
        row.cost if row.instrument_id else None,
        row.fees if row.instrument_id else None,
        row.gain,
        (row.ts - row.acquired) // NS_DAY if disposed and row.acquired is not None else None,
        row.market_id or None,
        row.instrument_id or None,
        row.trade_id or None,
    )


def _say(account: ReadJournal, rows: Iterable[TaxRow], totals: TaxTotals, *, whole: bool) -> None:
    """Say what the rows add up to, and how that agrees with what the account says."""
    gains = sum(row.gain or 0 for row in rows)
    if not whole:
        say(f"{account.mode}: gains of these days {dollars(gains)}; those of the whole account {dollars(totals.gains)}")
        return
    parts = f"realised {dollars(totals.realised)} less fees {dollars(totals.fees)}"
    if totals.rebates:
        parts += f" and rebates {dollars(totals.rebates)}"
    if totals.held or totals.held_average:
        parts += (
            f"; what is held cost {dollars(totals.held)} by first in, first out, {dollars(totals.held_average)} by the "
            f"account's averages, and {dollars(totals.held_fees)} of fees"
        )
    say(f"{account.mode}: gains {dollars(gains)}, which agrees with the account: {parts}")
