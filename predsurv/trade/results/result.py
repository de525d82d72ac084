"""The result of a run: figures by strategy, market and event, its equity over time, and what it rests on.

Everything is an integer: money, prices and sizes in micros, times in ns UTC.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.ids import EventId, InstrumentKey, MarketId, StrategyName, VenueName
from predsurv.core.market import Market, size_allowed
from predsurv.core.num import MICROS, Money, Price
from predsurv.core.orders import Position
from predsurv.engine.fills.queue_position import QueueModel
from predsurv.trade.results.capacity import CapacityCurve, CapacityPoint
from predsurv.trade.results.exposure import GroupExposure, exposure_of
from predsurv.trade.results.fill_outcomes import SettlementResult
from predsurv.trade.results.ledger import Ledger, LineKey, OwnedPosition
from predsurv.trade.results.sampling import EquityCurve
from predsurv.trade.results.tally import Tally, total
from predsurv.trade.results.valuing import Mark, Worth, at_cost, worth


class _MarketKey(NamedTuple):
    venue: VenueName
    market_id: MarketId


class StrategyResult(Struct, frozen=True):
    """What one strategy did."""

    strategy: StrategyName
    tally: Tally


class TradedMarket(Struct, frozen=True):
    """What is shown of a market: texts are the venue's, not sanitised; ``url`` None where it has none."""

    venue: VenueName
    market_id: MarketId
    event_id: EventId
    question: str
    outcomes: tuple[tuple[str, str], ...]
    url: str | None = None


class MarketResult(Struct, frozen=True):
    """What all strategies did in one market."""

    market: TradedMarket
    tally: Tally


class BracketRun(Struct, frozen=True, kw_only=True):
    """What a run earned by one queue model; money in micros. ``own``: that is the model of the run itself."""

    queue_model: QueueModel
    profit: Money
    fees: Money
    drawdown: Money
    turnover: Money
    orders: int
    fills: int
    own: bool = False


class RunResult(Struct, frozen=True, kw_only=True):
    """The result of a run.

    ``equity_start`` and ``equity`` are cash plus positions at the best bid (at cost where no book was known yet);
    ``total.profit`` is their difference. ``at_mid`` and ``at_liquidation`` are the equity by the other valuations.
    ``requested`` is the time asked for and ``loaded`` the part of it with events or coverage (ns), None where no
    end was asked for. ``unmarked``: positions held whose book was never known, or is empty, valued at cost.
    ``settlement``: what became of fills of venues that settle them later, None without any. ``residues``: positions
    that are smaller than any order their venue takes, such as the rest of a partial fill: held until settlement.
    ``bracket``: the same run by every queue model, the one that fills last first; empty where nobody asked for it.
    """

    equity_start: Money
    equity: Money
    at_mid: Money
    at_liquidation: Money
    cash: tuple[tuple[VenueName, Money], ...]
    total: Tally
    strategies: tuple[StrategyResult, ...]
    markets: tuple[MarketResult, ...]
    positions: tuple[OwnedPosition, ...]
    marks: tuple[Mark, ...]
    groups: tuple[GroupExposure, ...]
    curve: EquityCurve
    capacity: tuple[CapacityPoint, ...]
    unmarked: int = 0
    requested: int | None = None
    loaded: int = 0
    settlement: SettlementResult | None = None
    residues: int = 0
    bracket: tuple[BracketRun, ...] = ()


class Books(Struct, frozen=True):
    """What a result needs beside the journal: marks of what is held, at the start and at the end, and the markets.

    ``events`` are all known markets of each event in which anything was traded or held.
    """

    opening: Mapping[InstrumentKey, Mark]
    closing: Mapping[InstrumentKey, Mark]
    events: tuple[tuple[Market, ...], ...]


class Course(Struct, frozen=True):
    """How a run went: its equity over time, what depth there was, and the time asked for and loaded (ns)."""

    curve: EquityCurve = EquityCurve()
    capacity: CapacityCurve | None = None
    requested: int | None = None
    loaded: int = 0


def result_of(ledger: Ledger, books: Books, course: Course) -> RunResult:
    """Return the result of a run whose entries are in ``ledger``."""
    lines = {where: replace(line) for where, line in ledger.lines.items()}
    for owned in ledger.opening:
        lines[_line_of(owned)].opening += _worth(owned, books.opening).at_bid - owned.position.cost
    held = tuple(ledger.positions())
    for owned in held:
        _value(lines[_line_of(owned)], _worth(owned, books.closing), owned.position.cost)
    whole = total(lines.values())
    strategies = tuple(_strategies(lines, ledger))
    whole.trips, whole.won = (sum(getattr(each.tally, name) for each in strategies) for name in ("trips", "won"))
    cash = ledger.cash()
    began = sum(_worth(each, books.opening).at_bid for each in ledger.opening)
    invested = sum(cash.values()) + sum(owned.position.cost for owned in held)
    return RunResult(
        equity_start=Money(ledger.funds() + began),
        equity=Money(invested + whole.at_bid),
        at_mid=Money(invested + whole.at_mid),
        at_liquidation=Money(invested + whole.at_liquidation),
        cash=tuple(cash.items()),
        total=whole,
        strategies=strategies,
        markets=tuple(_markets(lines, ledger, books)),
        positions=held,
        marks=tuple(books.closing.values()),
        groups=tuple(_groups(held, books)),
        curve=course.curve,
        capacity=() if course.capacity is None else course.capacity.points(_worth_per_share(lines, held)),
        unmarked=sum(owned.position.key not in books.closing for owned in held),
        requested=course.requested,
        loaded=course.loaded,
        settlement=ledger.outcomes.result(whole.profit, books.closing),
        residues=sum(_is_residue(each, books) for each in held),
    )


def _is_residue(owned: OwnedPosition, books: Books) -> bool:
    key, size = owned.position.key, owned.position.size
    market = next((each for event in books.events for each in event if _is_of(each, key)), None)
    mark = books.closing.get(key)
    price = Price(0) if mark is None or mark.bid is None else mark.bid
    return (
        market is not None
        and market.status == "active"
        and not size_allowed(market, price, size, side="sell", rests=False)
    )


def _is_of(market: Market, key: InstrumentKey) -> bool:
    return (market.venue, market.market_id) == (key.venue, key.market_id)


def _line_of(owned: OwnedPosition) -> LineKey:
    return LineKey(owned.strategy, owned.position.key)


def _worth(owned: OwnedPosition, marks: Mapping[InstrumentKey, Mark]) -> Worth:
    mark = marks.get(owned.position.key)
    return at_cost(owned.position.cost) if mark is None else worth(mark, owned.position.size)


def _value(line: Tally, valued: Worth, cost: Money) -> None:
    line.at_bid += valued.at_bid - cost
    line.at_mid += valued.at_mid - cost
    line.at_liquidation += valued.at_liquidation - cost


def _strategies(lines: Mapping[LineKey, Tally], ledger: Ledger) -> Iterator[StrategyResult]:
    for name in dict.fromkeys(where.strategy for where in lines):
        tally = total(line for where, line in lines.items() if where.strategy == name)
        count = ledger.trips.of(name)
        tally.trips, tally.won = count.ended, count.won
        yield StrategyResult(name, tally)


def _markets(lines: Mapping[LineKey, Tally], ledger: Ledger, books: Books) -> Iterator[MarketResult]:
    known = {(market.venue, market.market_id): market for event in books.events for market in event}
    by_market: dict[_MarketKey, list[Tally]] = {}
    for where, line in lines.items():
        by_market.setdefault(_MarketKey(where.key.venue, where.key.market_id), []).append(line)
    for key, tallies in by_market.items():
        tally, count = total(tallies), ledger.trips.within(*key)
        tally.trips, tally.won = count.ended, count.won
        yield MarketResult(_described(key, known.get(key)), tally)


def _described(key: _MarketKey, market: Market | None) -> TradedMarket:
    if market is None:
        return TradedMarket(key.venue, key.market_id, EventId(key.market_id), key.market_id, ())
    outcomes = tuple((str(each.instrument_id), each.label) for each in market.outcomes)
    return TradedMarket(key.venue, key.market_id, market.event_id, market.question, outcomes, market.url)


def _groups(held: Iterable[OwnedPosition], books: Books) -> Iterator[GroupExposure]:
    by_market: dict[_MarketKey, list[Position]] = {}
    for owned in held:
        key = owned.position.key
        by_market.setdefault(_MarketKey(key.venue, key.market_id), []).append(owned.position)
    for event in books.events:
        positions = [each for market in event for each in by_market.get(_MarketKey(market.venue, market.market_id), ())]
        if positions:
            yield exposure_of(event, positions)


def _worth_per_share(lines: Mapping[LineKey, Tally], held: Iterable[OwnedPosition]) -> dict[InstrumentKey, int]:
    """Return what a bought share of each instrument brought, or is worth sold into the bids; micros."""
    by_key: dict[InstrumentKey, list[Tally]] = {}
    for where, line in lines.items():
        by_key.setdefault(where.key, []).append(line)
    costs: Counter[InstrumentKey] = Counter()
    for owned in held:
        costs[owned.position.key] += owned.position.cost
    found = {}
    for key, tallies in by_key.items():
        line = total(tallies)
        brought = line.sold + line.paid + costs[key] + line.at_liquidation
        found[key] = brought * MICROS // line.acquired if line.acquired else 0
    return found
