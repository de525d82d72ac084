"""Tables of a run's result: what was earned and risked, by strategy, market and event."""

from collections.abc import Iterable, Sequence
from typing import Final

from predsurv.cli.output.columns import TEXT_CHARS_MAX, span
from predsurv.cli.output.render import Column, Table, Value
from predsurv.config.schema import TradingConfig
from predsurv.core.ids import InstrumentKey
from predsurv.trade.results.ratios import fill_ratio, hit_rate, sharpe
from predsurv.trade.results.result import MarketResult, RunResult, TradedMarket
from predsurv.trade.results.tally import Tally
from predsurv.trade.results.valuing import worth
from predsurv.trade.runs.folder import RunRecord
from predsurv.trade.runs.info import RunInfo

_MONEY: Final = (
    Column("pnl", "Profit", "micros", "$", keep=9),
    Column("realised", "Realised", "micros", "$", keep=8),
    Column("unrealised", "Unrealised", "micros", "$", keep=8),
    Column("fees", "Fees", "micros", "$", keep=8),
    Column("rebates", "Rebates", "micros", "$", keep=2, if_any=True),
    Column("trading", "Without rebates", "micros", "$", keep=1),
    Column("unrealised_mid", "at mid", "micros", "$", keep=3, of="Unrealised"),
    Column("unrealised_liquidation", "at liquidation", "micros", "$", keep=3, of="Unrealised"),
)
_TRADING: Final = (
    Column("traded", "Turnover", "micros", "$", keep=6),
    Column("orders", "Orders", "int", keep=4),
    Column("fills", "Fills", "int", keep=5),
    Column("fill_ratio", "Filled", "percent", places=1, keep=4),
    Column("trips", "Round trips", "int", keep=3),
    Column("hit_rate", "Won", "percent", places=1, keep=4),
)
STRATEGIES: Final = (Column("strategy", "Strategy", keep=9), *_MONEY, *_TRADING)
_MARKETS: Final = (
    Column("question", "Market", keep=9),
    *_MONEY,
    *_TRADING,
    Column("venue", "Venue", keep=1),
    Column("market_id", "Market id", keep=0),
    Column("event_id", "Event", keep=0),
    Column("url", "Page", keep=0),
)
_GROUPS: Final = (
    Column("event", "Event", keep=9),
    Column("positions", "Positions", "int", keep=6),
    Column("cost", "Cost", "micros", "$", keep=8),
    Column("worst", "Pays at worst", "micros", "$", keep=7),
    Column("worst_pnl", "Worst profit", "micros", "$", keep=9),
    Column("best", "Pays at best", "micros", "$", keep=6),
    Column("void", "Pays if void", "micros", "$", keep=5),
    Column("outcomes", "Outcomes", "int", keep=3),
    Column("venue", "Venue", keep=2),
    Column("event_id", "Event id", keep=0),
)
_RISK: Final = (
    Column("drawdown", "Drawdown", "micros", "$", keep=9),
    Column("drawdown_at", "at", "time", keep=4, of="Drawdown"),
    Column("sharpe", "Sharpe, yearly", "decimal", keep=9),
    Column("sharpe_error", "± (1 s.e.)", "decimal", keep=9),
    Column("sharpe_interval_s", "of returns over", "duration", keep=6, of="Sharpe"),
    Column("sharpe_samples", "Returns", "int", keep=7),
    Column("equity_start", "Equity before", "micros", "$", keep=5),
    Column("equity", "Equity", "micros", "$", keep=8),
    Column("equity_mid", "at mid", "micros", "$", keep=5, of="Equity"),
    Column("equity_liquidation", "at liquidation", "micros", "$", keep=7, of="Equity"),
)
_SETTLEMENT: Final = (
    Column("final", "Fills final", "int", keep=7),
    Column("failed", "Failed", "int", keep=9),
    Column("failed_notional", "worth", "micros", "$", keep=8, of="Failed"),
    Column("open", "Open", "int", keep=7),
    Column("open_notional", "worth", "micros", "$", keep=6, of="Open"),
    Column("pnl", "Profit", "micros", "$", keep=9),
    Column("pnl_worst", "if as many more fail", "micros", "$", keep=9),
    Column("pnl_worst_all", "if all that gained fail", "micros", "$", keep=8),
)
_CAPACITY: Final = (
    Column("multiple", "Size ×", "int", keep=9),
    Column("wanted", "Shares wanted", "micros", keep=7),
    Column("available", "there", "micros", keep=9, of="Shares"),
    Column("cost", "Cost", "micros", "$", keep=6),
    Column("pnl", "Profit", "micros", "$", keep=9),
)
_BRACKET: Final = (
    Column("queue_model", "Queue model", keep=9),
    Column("own", "This run", keep=6),
    Column("pnl", "Profit", "micros", "$", keep=9),
    Column("fees", "Fees", "micros", "$", keep=7),
    Column("drawdown", "Drawdown", "micros", "$", keep=7),
    Column("traded", "Turnover", "micros", "$", keep=5),
    Column("orders", "Orders", "int", keep=4),
    Column("fills", "Fills", "int", keep=8),
)
_HELD: Final = (
    Column("strategy", "Strategy", keep=6),
    Column("question", "Market", keep=9),
    Column("outcome", "Outcome", keep=8),
    Column("shares", "Shares", "micros", keep=9),
    Column("cost", "Cost", "micros", "$", keep=9),
    Column("bid", "Best bid", "micros", "$", places=3, keep=6),
    Column("unrealised", "Unrealised", "micros", "$", keep=8),
    Column("unrealised_mid", "at mid", "micros", "$", keep=5, of="Unrealised"),
    Column("unrealised_liquidation", "at liquidation", "micros", "$", keep=6, of="Unrealised"),
    Column("marked_at", "Book of", "time", keep=5),
    Column("venue", "Venue", keep=2),
    Column("instrument_id", "Instrument", keep=0),
)
_RUNS: Final = (
    Column("run", "Run", keep=9, fit="head", width_min=20),  # commands take the beginning of an id
    Column("mode", "Mode", keep=2),
    Column("state", "State", keep=9, fit="whole"),
    Column("complete", "Complete", keep=3),
    Column("strategies", "Strategies", keep=9, fit="wrap", width_min=13),
    Column("parameters", "Parameters", keep=9, fit="wrap", width_min=18, width_max=TEXT_CHARS_MAX, if_any=True),
    Column("venues", "Venues", keep=4),
    Column("started", "Started", "time", keep=3),
    Column("requested_s", "Asked for", "duration", keep=5),
    Column("loaded_s", "There", "duration", keep=5),
    Column("pnl", "Profit", "micros", "$", keep=9),
    Column("fees", "Fees", "micros", "$", keep=3),
    Column("fills", "Fills", "int", keep=6),
    Column("seed", "Seed", "int", keep=1),
    Column("version", "Version", keep=1),
    Column("data", "Data", keep=0),
    Column("exit_code", "Exit", "int", keep=1),
)

_QUEUE_MODEL: Final = TradingConfig().queue_model
_ODD_MAX: Final = 5
NO_WORST: Final = "nothing is held"


def run_table(runs: Iterable[RunRecord], title: str = "Runs") -> Table:
    """Return a row for each run; of one that cannot be read it has only what its id says."""
    found = list(runs)
    rows = [_run_row(each) for each in found]
    odd = [f"{each.folder.run}: {each.state}" for each in found if each.state != "complete"]
    return Table(
        "runs",
        title,
        _RUNS,
        rows,
        "; ".join(odd[-_ODD_MAX:]),
        empty="no run yet; 'predsurv trade --paper' or 'backtest' makes one",
    )


def result_tables(result: RunResult) -> list[Table]:
    """Return what a run earned and risked: risk, strategies, markets, events, positions, capacity."""
    return [
        *earned_tables(result),
        *bracket_tables(result),
        market_table(result),
        _group_table(result),
        held_table(result),
        *settlement_tables(result),
        _capacity_table(result),
    ]


def earned_tables(result: RunResult) -> list[Table]:
    """Return equity and risk, and what each strategy earned."""
    strategies = [(each.strategy, *_figures(each.tally)) for each in result.strategies]
    note = "profit = realised + unrealised − fees + rebates = change in equity; a strategy's round trips are by event"
    return [
        _risk_table(result),
        Table("strategies", "Strategies", STRATEGIES, strategies, note, empty="nothing was ordered"),
    ]


def market_table(result: RunResult, first: int | None = None) -> Table:
    """Return what was earned in each market, the largest amounts first; people see the ``first`` of them."""
    markets = sorted(result.markets, key=lambda each: -abs(each.tally.profit))
    rows = [_market_row(each) for each in markets]
    return Table("markets", "Profit by market", _MARKETS, rows, empty="nothing was ordered", first=first)


def held_table(result: RunResult) -> Table:
    """Return what was held at the end, by the last known books."""
    names = {(each.market.venue, each.market.market_id): each.market for each in result.markets}
    marks = {mark.key: mark for mark in result.marks}
    rows: list[Sequence[Value]] = []
    for owned in result.positions:
        held, mark = owned.position, marks.get(owned.position.key)
        valued = None if mark is None else worth(mark, held.size)
        gains = (None,) * 3 if valued is None else (valued.at_bid, valued.at_mid, valued.at_liquidation)
        market = names.get((held.key.venue, held.key.market_id))
        rows.append(
            (
                owned.strategy,
                held.key.market_id if market is None else market.question,
                outcome_of(market, held.key),
                held.size,
                held.cost,
                None if mark is None else mark.bid,
                *(None if each is None else each - held.cost for each in gains),
                None if mark is None else mark.ts,
                held.key.venue,
                held.key.instrument_id,
            )
        )
    rest = f"{result.residues} smaller than any order that their venue takes: held until they are paid out"
    return Table("positions", "Positions", _HELD, rows, rest if result.residues else "", empty=NO_WORST)


def settlement_tables(result: RunResult) -> list[Table]:
    """Return what became of fills that were only matched at first; no table where there were none."""
    found = result.settlement
    if found is None:
        return []
    row: Sequence[Value] = (
        found.final,
        found.failed,
        found.failed_notional,
        found.open,
        found.open_notional,
        result.total.profit,
        found.worst,
        found.worst_all,
    )
    note = (
        "fills that can fail after they were matched; more of them: those that hurt most, the last: a bound from below"
    )
    return [Table("settlement", "Settlement of fills", _SETTLEMENT, [row], note)]


def bracket_tables(result: RunResult) -> list[Table]:
    """Return what the run earned by each queue model; no table where nobody asked for it."""
    if not result.bracket:
        return []
    rows = [
        (each.queue_model, each.own, each.profit, each.fees, each.drawdown, each.turnover, each.orders, each.fills)
        for each in result.bracket
    ]
    note = "resting orders fill as late as can be, by the default, as early as can be: what really fills lies between "
    note += "the first and the last, what it earns need not"
    return [Table("bracket", "By queue model", _BRACKET, rows, note)]


def outcome_of(market: TradedMarket | None, key: InstrumentKey) -> str:
    """Return the name of an outcome, "" when it is not known."""
    return "" if market is None else dict(market.outcomes).get(str(key.instrument_id), "")


def _run_row(record: RunRecord) -> Sequence[Value]:
    info, result = record.info, record.result
    if info is None:
        known = (record.folder.run, record.mode, record.state)
        return (*known, *[None] * (len(_RUNS) - len(known)))
    total = None if result is None else result.total
    return (
        record.folder.run,
        record.mode,
        record.state,
        info.complete,
        ", ".join(info.strategies),
        _parameters(info),
        ", ".join(info.venues),
        info.started,
        info.requested,
        loaded_of(info, result),
        None if total is None else total.profit,
        None if total is None else total.fees,
        None if total is None else total.fills,
        info.seed,
        info.versions.get("predsurv"),
        None if info.data is None else info.data.digest,
        info.exit_code,
    )


def loaded_of(info: RunInfo, result: RunResult | None) -> int | None:
    """Return the time (ns) that had events, of a run that was killed as its results have it, None without any."""
    if result is not None:
        return result.loaded
    return None if info.ended is None else info.loaded


def _parameters(info: RunInfo) -> str:
    """Return what was set of the run's strategies, and its queue model where that is not the usual one."""
    given = info.config.get("strategies", {})
    several = len(info.strategies) > 1
    said = [
        f"{strategy}.{name}={value}" if several else f"{name}={value}"
        for strategy in info.strategies
        for name, value in given.get(strategy, {}).items()
    ]
    model = info.config.get("trading.queue_model", _QUEUE_MODEL)
    return " ".join(said if model == _QUEUE_MODEL else [*said, f"{model} queue"])


def _figures(tally: Tally) -> Sequence[Value]:
    return (
        tally.profit,
        tally.realised,
        tally.at_bid - tally.opening,
        tally.fees,
        tally.rebates,
        tally.trading,
        tally.at_mid - tally.opening,
        tally.at_liquidation - tally.opening,
        tally.turnover,
        tally.orders,
        tally.fills,
        fill_ratio(tally),
        tally.trips,
        hit_rate(tally),
    )


def _market_row(each: MarketResult) -> Sequence[Value]:
    market = each.market
    return (
        market.question,
        *_figures(each.tally),
        market.venue,
        market.market_id,
        market.event_id,
        market.url,
    )


def _group_table(result: RunResult) -> Table:
    rows = [
        (
            each.title or each.event_id,
            each.positions,
            each.cost,
            each.worst,
            each.worst_profit,
            each.best,
            each.void,
            each.outcomes,
            each.venue,
            each.event_id,
        )
        for each in sorted(result.groups, key=lambda group: group.worst_profit)
    ]
    note = "the worst of every outcome that is possible, of shares held alone"
    return Table("events", "Exposure by event", _GROUPS, rows, note, empty=NO_WORST)


def _capacity_table(result: RunResult) -> Table:
    rows = [(each.multiple, each.wanted, each.available, each.cost, each.profit) for each in result.capacity]
    note = "buys that took liquidity, at multiples of their size, by the books they saw; shares worth what this run got"
    return Table("capacity", "Capacity", _CAPACITY, rows, note, empty="no buy took liquidity")


def _risk_table(result: RunResult) -> Table:
    ratio = sharpe(result.curve, result.equity_start)
    row: Sequence[Value] = (
        result.curve.drawdown,
        result.curve.drawdown_at or None,
        None if ratio is None else ratio.ratio,
        None if ratio is None else ratio.error,
        None if ratio is None else ratio.interval,
        None if ratio is None else ratio.samples,
        result.equity_start,
        result.equity,
        result.at_mid,
        result.at_liquidation,
    )
    note = f"equity at the best bid, sampled every {span(result.curve.interval)}"
    if ratio is not None:
        note += "; a Sharpe ratio of so short a time says little: see its standard error"
    if result.unmarked:
        note += f"; {result.unmarked} positions, whose books are empty or were never known, at cost"
    return Table("risk", "Equity and risk", _RISK, [row], note)
