"""Tables of an account: cash and worth by venue, and positions with the age of the books that value them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from predsurv.cli.output.render import Column, Table, Value
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.core.num import MICROS
from predsurv.state.market_cache import MarketCache
from predsurv.store.universe import iso_second
from predsurv.trade.results.ledger import Ledger, OwnedPosition
from predsurv.trade.results.tally import total
from predsurv.trade.results.valuing import Mark, Worth, at_cost, worth

_VENUES: Final = (
    Column("mode", "Account", keep=9),
    Column("venue", "Venue", keep=9),
    Column("cash", "Cash", "micros", "$", keep=9),
    Column("positions", "Positions", "micros", "$", keep=7),
    Column("equity", "Equity", "micros", "$", keep=9),
    Column("equity_mid", "at mid", "micros", "$", keep=3, of="Equity"),
    Column("equity_liquidation", "at liquidation", "micros", "$", keep=6, of="Equity"),
    Column("realised", "Realised", "micros", "$", keep=7),
    Column("unrealised", "Unrealised", "micros", "$", keep=7),
    Column("fees", "Fees", "micros", "$", keep=7),
    Column("rebates", "Rebates", "micros", "$", keep=1, if_any=True),
)
_POSITIONS: Final = (
    Column("strategy", "Strategy", keep=6),
    Column("question", "Market", keep=9),
    Column("outcome", "Outcome", keep=8),
    Column("shares", "Shares", "micros", keep=9),
    Column("average_cost", "Cost", "micros", "$/share", places=4, keep=4),
    Column("cost", "Cost", "micros", "$", keep=9),
    Column("mark", "Best bid", "micros", "$", places=3, keep=6),
    Column("unrealised", "Unrealised", "micros", "$", keep=8),
    Column("unrealised_mid", "at mid", "micros", "$", keep=2, of="Unrealised"),
    Column("unrealised_liquidation", "at liquidation", "micros", "$", keep=5, of="Unrealised"),
    Column("mark_age_s", "Book's age", "duration", keep=7),
    Column("venue", "Venue", keep=3),
    Column("instrument_id", "Instrument", keep=0),
)


class Account(Struct, frozen=True):
    """An account at ``now`` (ns UTC) by its journal, whose last entry is of ``last``, and by the last known books."""

    mode: str
    ledger: Ledger
    marks: Mapping[InstrumentKey, Mark]
    cache: MarketCache
    now: int
    last: int


def portfolio_tables(account: Account, venue: VenueName | None) -> list[Table]:
    """Return the tables ``account`` and ``positions``, of one venue or of all."""
    held = [each for each in account.ledger.positions() if venue in (None, each.position.key.venue)]
    cash = {name: amount for name, amount in account.ledger.cash().items() if venue in (None, name)}
    rows = [_venue_row(account, name, held) for name in cash]
    note = "cash is kept by each venue and buys nothing at another; positions at the best bid of the last known book"
    if account.last:
        note += f"; last entry {iso_second(account.last)}"
    positions = [_position_row(account, owned) for owned in held]
    unknown = sum(owned.position.key not in account.marks for owned in held)
    about = f"{unknown} without a known book, at cost" if unknown else ""
    return [
        Table("account", "Account by venue", _VENUES, rows, note),
        Table("positions", "Positions", _POSITIONS, positions, about, empty="nothing is held"),
    ]


def _venue_row(account: Account, venue: VenueName, held: Iterable[OwnedPosition]) -> Sequence[Value]:
    here = [owned for owned in held if owned.position.key.venue == venue]
    cash, cost = account.ledger.cash()[venue], sum(owned.position.cost for owned in here)
    valued = [_worth(account, owned) for owned in here]
    tally = total(line for where, line in account.ledger.lines.items() if where.key.venue == venue)
    at_bid, at_mid, sold = (
        sum(getattr(each, name) for each in valued) for name in ("at_bid", "at_mid", "at_liquidation")
    )
    return (
        account.mode,
        venue,
        cash,
        at_bid,
        cash + at_bid,
        cash + at_mid,
        cash + sold,
        tally.realised,
        at_bid - cost,
        tally.fees,
        tally.rebates,
    )


def _worth(account: Account, owned: OwnedPosition) -> Worth:
    mark = account.marks.get(owned.position.key)
    return at_cost(owned.position.cost) if mark is None else worth(mark, owned.position.size)


def _position_row(account: Account, owned: OwnedPosition) -> Sequence[Value]:
    held = owned.position
    key, mark, valued = held.key, account.marks.get(held.key), _worth(account, owned)
    market = account.cache.market(key.venue, key.market_id)
    labels = {} if market is None else {each.instrument_id: each.label for each in market.outcomes}
    gains = (None,) * 3 if mark is None else (valued.at_bid, valued.at_mid, valued.at_liquidation)
    return (
        owned.strategy,
        key.market_id if market is None else market.question,
        labels.get(key.instrument_id, ""),
        held.size,
        held.cost * MICROS // held.size,
        held.cost,
        None if mark is None else mark.bid or 0,
        *(None if each is None else each - held.cost for each in gains),
        None if mark is None else max(0, account.now - mark.ts),
        key.venue,
        key.instrument_id,
    )
