"""Output of a trading run: a line per event while it runs, tables at its end."""

from collections.abc import Sequence
from typing import Final

from predsurv.cli.output.columns import dollars, shortened, span
from predsurv.cli.output.refusal_lines import RefusalLines
from predsurv.cli.output.render import Column, Table, Value, say
from predsurv.cli.output.result_tables import bracket_tables, held_table, market_table, settlement_tables
from predsurv.core.events import (
    CancelRejected,
    Event,
    Fill,
    FillFailed,
    MarketEvent,
    MarketResolved,
    OrderRejected,
    RebatePaid,
)
from predsurv.core.ids import InstrumentKey, StrategyName, VenueName
from predsurv.core.num import Money, format_micros
from predsurv.core.orders import Intent, PlaceOrder, Refused
from predsurv.core.text import sanitise
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.engine import Engine
from predsurv.engine.step import Step
from predsurv.state.market_cache import MarketCache
from predsurv.store.read.recording_summary import RecordingSummary
from predsurv.store.universe import iso_time
from predsurv.trade.results.ratios import fill_ratio, hit_rate
from predsurv.trade.results.result import RunResult
from predsurv.trade.results.tally import Tally
from predsurv.trade.session import EndedRun
from predsurv.trade.stats import BasketStats, RunStats, StrategyStats, basket_stats

_SILENT: Final = ("day", "stale", "duplicate")
"""Notes that nobody acts on: a day began; an event that changed nothing, as when a filled order is told as accepted, or
a fill by the channel and by REST."""
QUESTION_CHARS: Final = 44
_NOTE_CHARS_MAX: Final = 1_000
_ID_CHARS_MAX: Final = 100
_CLOCK_CELLS: Final = len("13:04:58.449 ")
MARKETS_SHOWN: Final = 10
"""Markets that people see at the end of a run: those that earned or lost most."""

_ACCOUNT: Final = (
    Column("mode", "Account", keep=9, fit="whole"),
    Column("cash", "Cash", "micros", "$", keep=8),
    Column("positions", "Positions", "micros", "$", keep=7),
    Column("equity", "Equity", "micros", "$", keep=9),
    Column("pnl", "This run", "micros", "$", keep=9),
    Column("realised", "Realised", "micros", "$", keep=6),
    Column("unrealised", "Unrealised", "micros", "$", keep=6),
    Column("fees", "Fees", "micros", "$", keep=7),
    Column("rebates", "Rebates", "micros", "$", keep=2, if_any=True),
    Column("equity_mid", "at mid", "micros", "$", keep=2, of="Equity"),
    Column("equity_liquidation", "at liquidation", "micros", "$", keep=4, of="Equity"),
    Column("drawdown", "Drawdown", "micros", "$", keep=4),
    Column("events", "Events", "int", keep=3),
    Column("duration_s", "Market time", "duration", keep=4),
    Column("complete", "Complete", keep=3),
)
_STRATEGIES: Final = (
    Column("strategy", "Strategy", keep=9),
    Column("intents", "Intents", "int", keep=5),
    Column("refused", "Refused", "int", keep=6, if_any=True),
    Column("orders", "Orders", "int", keep=8),
    Column("rejected", "Rejected", "int", keep=2, if_any=True),
    Column("fills", "Fills", "int", keep=8),
    Column("traded", "Traded", "micros", "$", keep=5),
    Column("pnl", "Profit", "micros", "$", keep=9),
    Column("realised", "Realised", "micros", "$", keep=7),
    Column("unrealised", "Unrealised", "micros", "$", keep=7),
    Column("fees", "Fees", "micros", "$", keep=8),
    Column("fill_ratio", "Filled", "percent", places=1, keep=3),
    Column("hit_rate", "Won", "percent", places=1, keep=3),
    Column("fees_assumed", "Fee assumed", "int", keep=2, if_any=True),
    Column("baskets_found", "Baskets found", "int", keep=6, if_any=True),
    Column("baskets_filled", "filled", "int", keep=6, of="Baskets", if_any=True),
    Column("baskets_settled", "settled", "int", keep=6, of="Baskets", if_any=True),
    Column("baskets_pnl", "Closed baskets", "micros", "$", keep=6, if_any=True),
)
_COUNTS: Final = (
    Column("strategy", "Strategy", keep=9),
    Column("kind", "Kind", keep=9),
    Column("name", "Name", keep=9, fit="whole"),
    Column("count", "Count", "int", keep=9),
)
_RECORDING: Final = (
    Column("instruments", "Instruments", "int", "recorded", keep=9),
    Column("unlisted", "Unlisted", "int", keep=8, if_any=True),
    Column("assumed", "Listed later", "int", keep=8, if_any=True),
    Column("without_trades", "Trades not observed", "int", keep=8, if_any=True),
    Column("polled", "Books polled", "int", keep=8, if_any=True),
    Column("without_books", "Trades only", "int", keep=8, if_any=True),
    Column("files_missing", "Files gone", "int", keep=8),
    Column("days_missing", "Days missing", "int", keep=6),
    Column("not_recorded", "Not recorded", keep=8, if_any=True),
)


class Announcer:
    """A ``RunObserver`` that prints a line for each decision, fill and settlement of ``engine``.

    ``mark`` stands before each, so that nobody takes it for something else.
    """

    def __init__(self, engine: Engine, mark: str = "") -> None:
        self._engine, self._mark, self._refusals = engine, mark, RefusalLines()

    def on_turn(self) -> None:
        """Print nothing."""

    def on_batch(self, venue: VenueName, batch: Sequence[MarketEvent]) -> None:
        """Print nothing for market data."""

    def on_step(self, event: Event, step: Step) -> None:
        """Print the lines of one event."""
        for line in lines_of(event, step, self._engine, self._refusals):
            say(f"{self._mark}{line}", _CLOCK_CELLS + len(self._mark))


def lines_of(event: Event, step: Step, engine: Engine, refusals: RefusalLines) -> list[str]:
    """Return a line for each decision, fill, settlement and new kind of refusal; market names are sanitised."""
    clock = _clock(event.ts_recv)
    lines = [f"{clock} {text}" for text in _account_lines(event, step, engine)]
    for decision in step.decisions:
        command = decision.approved.command
        if isinstance(command, PlaceOrder):
            signal = decision.intent.signal if decision.intent is not None else ""
            what = f"{command.side} {format_micros(command.size)} @ {format_micros(command.price)}"
            lines.append(f"{clock} {command.strategy:<9} {signal:<10} {what:<22} {_name(command.key, engine.cache)}")
            if isinstance(decision.intent, Intent) and decision.intent.note:
                lines.append(f"{clock} {command.strategy:<9} {sanitise(decision.intent.note, _NOTE_CHARS_MAX)}")
    lines += [f"{clock} {_refusal(each, more, engine.cache)}" for each, more in refusals.of(step.refusals)]
    lines += [f"{clock} {note.kind}: {note.detail}" for note in step.notes if note.kind not in _SILENT]
    return lines


def _refusal(refused: Refused, more: int, cache: MarketCache) -> str:
    line = f"{refused.intent.strategy:<9} refused    {refused.detail:<22}"
    line += f" {_name(refused.intent.key, cache)}" if isinstance(refused.intent, Intent) else ""
    return f"{line}; {more:,} more for this reason before" if more else line.rstrip()


def _clock(ts: int) -> str:
    """Return the time of day with its milliseconds, as wide at each instant."""
    seconds, _, fraction = iso_time(ts)[11:].rstrip("Z").partition(".")
    return f"{seconds}.{fraction[:3]:0<3}"


def _account_lines(event: Event, step: Step, engine: Engine) -> list[str]:
    equity = f"equity {dollars(engine.valuation.equity())}"
    if isinstance(event, Fill) and step.booked:
        what = f"{event.side} {format_micros(event.size)} @ {format_micros(event.price)} fee {format_micros(event.fee)}"
        what += " assumed" if event.fee_assumed else ""
        return [f"fill      {what:<33} {_name(event.key, engine.cache)} · {equity}"]
    if isinstance(event, FillFailed) and step.booked:
        what = f"{sanitise(event.trade_id, _ID_CHARS_MAX)} {sanitise(event.reason, _NOTE_CHARS_MAX)}"
        return [f"failed    {what:<33} {_name(event.key, engine.cache)} · {equity}"]
    if isinstance(event, RebatePaid):
        return [f"rebate    {dollars(event.amount)} of {iso_time(event.day)[:10]} · {equity}"]
    if isinstance(event, OrderRejected) and step.booked:
        return [f"rejected  {sanitise(event.reason, _NOTE_CHARS_MAX):<33} {_name(event.key, engine.cache)}"]
    if isinstance(event, CancelRejected) and step.booked:
        what = sanitise(event.reason, _NOTE_CHARS_MAX)
        return [f"cancel rejected {what:<27} {_name(event.key, engine.cache)}"]
    if isinstance(event, MarketResolved) and step.settlements:
        paid = sum(each.paid for each in step.settlements)
        gain = paid - sum(each.cost for each in step.settlements)
        what = f"paid {dollars(Money(paid))}, {dollars(Money(abs(gain)))} {'below' if gain < 0 else 'over'} cost"
        return [f"settled   {what:<33} {_name(step.settlements[0].key, engine.cache)} · {equity}"]
    return []


def run_tables(ended: EndedRun) -> list[Table]:
    """Return the summary tables of a run: account, strategies, markets, signals and refusals, open positions.

    A backtest has one more, about its recording.
    """
    session = ended.session
    tables = [
        _account_table(ended),
        strategy_table(session.stats, session.engine.account, ended.result),
        *bracket_tables(ended.result),
        market_table(ended.result, first=MARKETS_SHOWN),
        count_table(session.stats),
        held_table(ended.result),
        *settlement_tables(ended.result),
    ]
    return tables if session.recording is None else [*tables, recording_table(session.recording)]


def outcome(result: RunResult) -> str:
    """Return in words what a run earned or lost, all fees counted, and what of it each strategy."""
    profit = result.total.profit
    what = "neither profit nor loss" if profit == 0 else f"a {'loss' if profit < 0 else 'profit'}"
    by_strategy = ", ".join(f"{each.strategy} {dollars(each.tally.profit)}" for each in result.strategies)
    parts = f" ({by_strategy})" if len(result.strategies) > 1 else ""
    return f"{what}, {dollars(profit)} after {dollars(result.total.fees)} of fees{parts}"


def recording_table(summary: RecordingSummary) -> Table:
    """Return one row with what a backtest had to go by: instruments, files and days."""
    row: Sequence[Value] = (
        summary.listed.recorded,
        summary.listed.unlisted,
        summary.assumed,
        summary.without_trades,
        summary.polled,
        summary.without_books,
        len(summary.missing),
        len(summary.not_recorded),
        ", ".join(summary.not_recorded) or None,
    )
    return Table("recording", "Recording", _RECORDING, [row], "; ".join(summary.notes()))


def _account_table(ended: EndedRun) -> Table:
    result, stats = ended.result, ended.session.stats
    total, cash = result.total, sum(each for _, each in result.cash)
    row: Sequence[Value] = (
        ended.session.mode,
        cash,
        result.equity - cash,
        result.equity,
        total.profit,
        total.realised,
        total.at_bid - total.opening,
        total.fees,
        total.rebates,
        result.at_mid,
        result.at_liquidation,
        result.curve.drawdown,
        stats.events,
        stats.last - stats.first,
        ended.ending.complete,
    )
    note = f"positions at the best bid; {span(stats.last - stats.first)} of market time; this run = realised + "
    note += "unrealised − fees + rebates"
    return Table("account", "Account", _ACCOUNT, [row], note)


def strategy_table(stats: RunStats, account: TradingAccount, result: RunResult) -> Table:
    """Return one row per strategy with what it did in this run."""
    baskets = basket_stats(account, stats.first)
    tallies = {each.strategy: each.tally for each in result.strategies}
    names = dict.fromkeys([*stats.strategies, *tallies])
    rows = [
        _strategy_row(name, stats.of(name), tallies.get(name, Tally()), baskets.get(name, BasketStats()))
        for name in names
    ]
    notes = []
    if any(each.found for each in baskets.values()):
        notes.append("closed baskets: what those earned after fees that hold nothing any more; part of realised − fees")
    if assumed := result.total.fees_assumed:
        notes.append(f"fills at an assumed fee, because nobody stated their markets' fees: {assumed}")
    return Table("strategies", "Strategies", _STRATEGIES, rows, "; ".join(notes), empty="no strategy had an intent")


def _strategy_row(name: StrategyName, counts: StrategyStats, tally: Tally, baskets: BasketStats) -> Sequence[Value]:
    return (
        name,
        counts.intents,
        counts.refusals.total(),
        tally.orders,
        tally.rejected,
        tally.fills,
        tally.turnover,
        tally.profit,
        tally.realised,
        tally.at_bid - tally.opening,
        tally.fees,
        fill_ratio(tally),
        hit_rate(tally),
        tally.fees_assumed,
        baskets.found,
        baskets.filled,
        baskets.settled,
        baskets.pnl,
    )


def count_table(stats: RunStats) -> Table:
    """Return signals by name and refusals by reason."""
    rows: list[Sequence[Value]] = []
    for name, counts in stats.strategies.items():
        rows += [(name, "signal", signal, count) for signal, count in counts.signals.most_common()]
        rows += [(name, "refused", reason, count) for reason, count in counts.refusals.most_common()]
    limited = any(counts.refusals for counts in stats.strategies.values())
    note = "a refusal has the name of the limit in [risk], where it is one; 'predsurv config show' has their values"
    note = note if limited else ""
    return Table("counts", "Signals and refusals", _COUNTS, rows, note, empty="none")


def _words(key: InstrumentKey, cache: MarketCache) -> tuple[str, str]:
    market = cache.market(key.venue, key.market_id)
    if market is None:
        return key.market_id, ""
    label = next((each.label for each in market.outcomes if each.instrument_id == key.instrument_id), "")
    return market.question, label


def _name(key: InstrumentKey, cache: MarketCache) -> str:
    question, outcome = _words(key, cache)
    return f"{sanitise(outcome, 12)}: {shortened([sanitise(question)], QUESTION_CHARS)[0]}"
