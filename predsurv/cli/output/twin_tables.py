"""Tables of a live run beside its paper twin: what each earned, how their orders went, and those that differ."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from predsurv.cli.output.render import Column, Table, Value
from predsurv.core.ids import MarketId, VenueName
from predsurv.core.num import MICROS
from predsurv.trade.results.divergence import Divergence, OrderOutcome, OrderPair
from predsurv.trade.results.result import RunResult, TradedMarket
from predsurv.trade.results.tally import Tally

SHOWN: Final = 20
"""Orders that differ which people see; machines get all."""

_SIDES: Final = (("live", "Live"), ("paper", "Paper twin"), ("difference", "Difference"))
_MONEY: Final = (
    Column("figure", "Figure", keep=9, fit="whole"),
    *(Column(key, title, "micros", "$", keep=9) for key, title in _SIDES),
)
_COUNTS: Final = (
    Column("figure", "Figure", keep=9, fit="whole"),
    *(Column(key, title, "int", keep=9) for key, title in _SIDES),
)
_FILLS: Final = (
    Column("both", "Both traded", "int", keep=8),
    Column("live_only", "Live only", "int", keep=9),
    Column("paper_only", "Paper only", "int", keep=9),
    Column("neither", "Neither", "int", keep=6),
    Column("shares", "Shares of both", "micros", keep=5),
    Column("slippage", "Live paid more", "micros", "$", places=4, keep=9),
    Column("later_median_ms", "Live later, median", "decimal", "ms", keep=8),
    Column("later_p90_ms", "p90", "decimal", "ms", keep=7, of="Live later"),
    Column("live_orders", "Orders live only", "int", keep=8),
    Column("paper_orders", "Orders paper only", "int", keep=8),
)
_ORDERS: Final = (
    Column("ts", "Decided", "time", keep=7),
    Column("strategy", "Strategy", keep=3),
    Column("question", "Market", keep=6),
    Column("outcome", "Outcome", keep=5),
    Column("side", "Side", keep=9),
    Column("price", "Price", "micros", "$", places=4, keep=9),
    Column("size", "Size", "micros", keep=8),
    Column("live", "Live", keep=9),
    Column("live_filled", "filled", "micros", keep=9, of="Live"),
    Column("live_price", "at", "micros", "$", places=4, keep=8, of="Live"),
    Column("paper", "Paper", keep=9),
    Column("paper_filled", "filled", "micros", keep=9, of="Paper"),
    Column("paper_price", "at", "micros", "$", places=4, keep=8, of="Paper"),
    Column("worse", "Live worse", "micros", "$", places=4, keep=7),
    Column("later_ms", "Live later", "decimal", "ms", keep=4),
    Column("venue", "Venue", keep=0),
    Column("instrument_id", "Instrument", keep=0),
)
_MONEY_FIGURES: Final[Mapping[str, Callable[[Tally], int]]] = {
    "profit": lambda tally: tally.profit,
    "realised": lambda tally: tally.realised,
    "fees": lambda tally: tally.fees,
    "turnover": lambda tally: tally.turnover,
}
_MS: Final = 1_000_000
NOT_THERE: Final = "no such order"


def twin_tables(live: RunResult, paper: RunResult, found: Divergence, *, whole: bool) -> list[Table]:
    """Return the tables; ``whole``: the twin went along to the end."""
    note = "" if whole else "the twin ended before the live run: what came later is in the live run alone"
    money = [_figure(name, value(live.total), value(paper.total)) for name, value in _MONEY_FIGURES.items()]
    counts = [
        _figure(name, getattr(live.total, name), getattr(paper.total, name)) for name in ("orders", "fills", "rejected")
    ]
    counts.append(_figure("shares filled", live.total.filled // MICROS, paper.total.filled // MICROS))
    different = [each for each in found.pairs if each.differs]
    names = {(each.market.venue, each.market.market_id): each.market for each in (*paper.markets, *live.markets)}
    rows = [_order_row(each, names) for each in different]
    return [
        Table("twin", "Beside the paper twin", _MONEY, money, note),
        Table("twin_counts", "Orders of both", _COUNTS, counts),
        Table("twin_fills", "Orders that both had, by what traded", _FILLS, [_fill_row(found)]),
        Table("twin_orders", "Orders that differ", _ORDERS, rows, empty="every order went the same way", first=SHOWN),
    ]


def _figure(name: str, live: int, paper: int) -> Sequence[Value]:
    return (name, live, paper, live - paper)


def _fill_row(found: Divergence) -> Sequence[Value]:
    delays = found.delays()
    return (
        found.traded(live=True, paper=True),
        found.traded(live=True, paper=False),
        found.traded(live=False, paper=True),
        found.traded(live=False, paper=False),
        found.shared(),
        found.slippage(),
        delays[len(delays) // 2] / _MS if delays else None,
        delays[len(delays) * 9 // 10] / _MS if delays else None,
        found.count(live=True, paper=False),
        found.count(live=False, paper=True),
    )


def _order_row(pair: OrderPair, names: Mapping[tuple[VenueName, MarketId], TradedMarket]) -> Sequence[Value]:
    command, later = pair.order.command, pair.later
    market = names.get((command.key.venue, command.key.market_id))
    labels = {} if market is None else dict(market.outcomes)
    return (
        pair.order.ts,
        command.strategy,
        command.key.market_id if market is None else market.question,
        labels.get(command.key.instrument_id, ""),
        command.side,
        command.price,
        command.size,
        *_side(pair.live),
        *_side(pair.paper),
        pair.worse,
        None if later is None else later / _MS,
        command.key.venue,
        command.key.instrument_id,
    )


def _side(order: OrderOutcome | None) -> Sequence[Value]:
    return (NOT_THERE, None, None) if order is None else (order.end, order.filled, order.price)
