"""The part of a live run's page that compares it with its paper twin."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from predsurv.core.ids import MarketId, VenueName
from predsurv.core.num import format_micros
from predsurv.store.universe import iso_second
from predsurv.trade.report.markup import dollars, safe, signed, table
from predsurv.trade.results.divergence import OrderOutcome, OrderPair
from predsurv.trade.results.result import RunResult, TradedMarket
from predsurv.trade.results.tally import Tally
from predsurv.trade.runs.beside import TwinBeside

ORDERS_MAX: Final = 200
"""Most orders that differ which the page shows: the first."""
_MS: Final = 1_000_000
_FIGURES: Final[Mapping[str, Callable[[Tally], int]]] = {
    "Profit": lambda tally: tally.profit,
    "Realised": lambda tally: tally.realised,
    "Fees": lambda tally: tally.fees,
    "Turnover": lambda tally: tally.turnover,
}
_EARNED: Final = ("Profit", "Realised")
_HEADS: Final = (
    "Decided",
    "Market",
    "Side",
    "Price",
    "Size",
    "Live",
    "filled",
    "at",
    "Paper",
    "filled",
    "at",
    "Live worse",
    "Live later (ms)",
)


def beside_twin(live: RunResult, twin: TwinBeside) -> str:
    """Return the section: figures of both, and the orders that went another way."""
    found, paper = twin.divergence, twin.result
    names = {(each.market.venue, each.market.market_id): each.market for each in (*paper.markets, *live.markets)}
    figures = "".join(
        f'<tr><td class="l">{name}</td>{_amount(name, value(live.total))}{_amount(name, value(paper.total))}'
        f"{_amount(name, value(live.total) - value(paper.total))}</tr>"
        for name, value in _FIGURES.items()
    )
    different = [each for each in found.pairs if each.differs]
    rows = "".join(_row(each, names) for each in different[:ORDERS_MAX])
    heads = "".join(f"<th>{name}</th>" for name in _HEADS)
    more = f"<p>{len(different) - ORDERS_MAX:,} more.</p>" if len(different) > ORDERS_MAX else ""
    orders = f"<h3>Orders that differ</h3>{table(heads, rows)}{more}" if different else ""
    head = "<th class=l></th><th>Live</th><th>Paper twin</th><th>Difference</th>"
    return f"<h2>Beside the paper twin</h2>{''.join(_words(twin))}{table(head, figures)}{orders}"


def _amount(name: str, value: int) -> str:
    return signed(value) if name in _EARNED else f"<td>{dollars(value)}</td>"


def _words(twin: TwinBeside) -> Iterator[str]:
    found = twin.divergence
    if not twin.whole:
        yield '<p class="warn">The twin ended before the live run: what came later is in the live run alone.</p>'
    yield (
        f"<p>Of the orders that both had, {found.traded(live=True, paper=True):,} traded in both, "
        f"{found.traded(live=True, paper=False):,} in the live run alone, {found.traded(live=False, paper=True):,} on "
        f"paper alone. {found.count(live=True, paper=False):,} orders were in the live run alone, "
        f"{found.count(live=False, paper=True):,} on paper alone. For {format_micros(found.shared())} shares of both "
        f"the live run paid {safe(dollars(found.slippage()))} more.</p>"
    )


def _row(pair: OrderPair, names: Mapping[tuple[VenueName, MarketId], TradedMarket]) -> str:
    command = pair.order.command
    market = names.get((command.key.venue, command.key.market_id))
    title = command.key.market_id if market is None else market.question
    cells = (
        command.side,
        format_micros(command.price),
        format_micros(command.size),
        *_side(pair.live),
        *_side(pair.paper),
        "–" if pair.worse is None else format_micros(pair.worse),
        "–" if pair.later is None else f"{pair.later / _MS:,.0f}",
    )
    rest = "".join(f"<td>{safe(each)}</td>" for each in cells)
    return f'<tr><td>{iso_second(pair.order.ts)}</td><td class="l q">{safe(title)}</td>{rest}</tr>'


def _side(order: OrderOutcome | None) -> tuple[str, str, str]:
    if order is None:
        return "no such order", "–", "–"
    return order.end, format_micros(order.filled), "–" if order.price is None else format_micros(order.price)
