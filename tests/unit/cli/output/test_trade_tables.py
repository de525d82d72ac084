"""The tables at the end of a run say what its figures rest on."""

from msgspec.structs import replace

from predsurv.cli.output.refusal_lines import PATIENCE, RefusalLines
from predsurv.cli.output.trade_tables import lines_of as told_lines
from predsurv.cli.output.trade_tables import outcome, strategy_table
from predsurv.core.events import CancelRejected, Event, MarketResolved, OrderRejected
from predsurv.core.ids import ClientOrderId, StrategyName
from predsurv.core.num import MICROS, Money, Price, Size
from predsurv.core.orders import Refused
from predsurv.engine.account.portfolio import Settlement
from predsurv.engine.engine import Engine
from predsurv.engine.step import EMPTY_STEP, EngineNote, Step
from predsurv.strategies.arbitrage import Arbitrage
from predsurv.trade.journal import Entry
from predsurv.trade.results.ledger import Opening, fold
from predsurv.trade.results.result import Books, Course, RunResult, result_of
from predsurv.trade.stats import RunStats
from tests.kit.manual_view import ABC, yes
from tests.kit.run_entries import filled, sent, started
from tests.kit.trading_samples import LIMITS, START, YES, World, book, intent, place


def lines_of(event: Event, step: Step, engine: Engine) -> list[str]:
    """The lines of an event of which no refusal was told before."""
    return told_lines(event, step, engine, RefusalLines())


def result_with(*, assumed: bool) -> RunResult:
    entries: list[Entry] = [started(Money(100 * MICROS)), sent("a"), filled("a", fee=Money(3), fee_assumed=assumed)]
    ledger = fold(Opening(), entries, lambda _venue, _market_id: None)
    return result_of(ledger, Books({}, {}, ()), Course())


def test_fills_at_an_assumed_fee_are_counted_and_named() -> None:
    table = strategy_table(RunStats(), World().account, result_with(assumed=True))
    (row,) = table.rows
    shown = dict(zip((column.key for column in table.columns), row, strict=True))
    assert (shown["fees_assumed"], shown["fills"], shown["fees"], shown["traded"]) == (1, 1, 3, 5_100_000)
    assert shown["pnl"] == -3  # the shares count at what they cost: their book was never known
    assert table.note.endswith("fills at an assumed fee, because nobody stated their markets' fees: 1")


def test_nothing_is_said_where_every_fee_was_stated() -> None:
    assert "assumed" not in strategy_table(RunStats(), World().account, result_with(assumed=False)).note


def test_what_a_strategy_notes_of_an_order_stands_below_it() -> None:
    world = World(ABC)
    limits, run = replace(LIMITS, price_collar=Price(MICROS)), "run"
    engine = Engine(run=run, limits=limits, strategies=[Arbitrage()], cache=world.cache, account=world.account)
    lines: list[str] = []
    for index, price in enumerate((30, 31, 32)):
        event = book((), ((price, 50),), yes(index))
        lines += lines_of(event, engine.step(event), engine)
    assert "yes_basket buy 50 @ 0.3 " in lines[0]
    assert "arbitrage costs $47.783 with fees of $1.283; pays $50.00 whichever outcome" in lines[1]
    assert len(lines) == 4


def test_what_a_market_paid_is_compared_with_what_its_shares_cost() -> None:
    world = World(ABC)
    engine = Engine(run="run", limits=LIMITS, strategies=[], cache=world.cache, account=world.account)
    for payout, told in ((Price(0), "paid $0.00, $5.10 below cost"), (Price(MICROS), "paid $10.00, $4.90 over cost")):
        settled = Settlement(StrategyName("me"), YES, Size(10 * MICROS), Money(5_100_000), Money(10 * payout))
        event = MarketResolved(YES.venue, YES.market_id, START, None, ())
        lines = lines_of(event, replace(EMPTY_STEP, settlements=(settled,)), engine)
        assert told in lines[0]


def test_what_the_account_lost_is_said_as_a_loss() -> None:
    result = result_with(assumed=False)
    lost = replace(result, total=replace(result.total, realised=-37_520_000, fees=2_000_000, at_bid=0))
    assert outcome(lost) == "a loss, -$39.52 after $2.00 of fees"
    two = replace(lost, strategies=(replace(lost.strategies[0], tally=lost.total),) * 2)
    assert outcome(two).endswith("of fees (me -$39.52, me -$39.52)")
    assert outcome(replace(lost, total=replace(lost.total, realised=3_000_000))).startswith("a profit, $1.00 after ")
    assert outcome(replace(lost, total=replace(lost.total, realised=2_000_000))).startswith("neither profit nor loss, ")


def test_a_rejected_cancel_is_told_while_its_order_lives() -> None:
    world = World()
    engine = Engine(run="run", limits=LIMITS, strategies=[], cache=world.cache, account=world.account)
    event = CancelRejected(YES, START, ClientOrderId("o1"), "venue_paused")
    assert not any("cancel rejected" in line for line in lines_of(event, engine.step(event), engine))
    world.account.place(place("o1"), START)
    assert "cancel rejected venue_paused" in lines_of(event, engine.step(event), engine)[0]


def test_a_venues_reason_is_told_whole() -> None:
    world = World()
    engine = Engine(run="run", limits=LIMITS, strategies=[], cache=world.cache, account=world.account)
    reason = "400: not enough balance / allowance: the balance is not enough -> balance: 0, order amount: 3600000"
    for event in (
        OrderRejected(YES, START, ClientOrderId("o1"), reason),
        CancelRejected(YES, START, ClientOrderId("o1"), reason),
    ):
        assert reason in lines_of(event, replace(EMPTY_STEP, booked=True), engine)[0]


def test_the_time_of_a_line_is_as_wide_at_each_instant() -> None:
    world = World()
    engine = Engine(run="run", limits=LIMITS, strategies=[], cache=world.cache, account=world.account)
    second = START - START % 1_000_000_000
    for ns, shown in ((0, ".000 "), (600_000_000, ".600 "), (612_345_678, ".612 "), (1_000, ".000 ")):
        event = OrderRejected(YES, second + ns, ClientOrderId("o1"), "no")
        (line,) = lines_of(event, replace(EMPTY_STEP, booked=True), engine)
        assert line[8:13] == shown


def test_what_was_told_twice_is_shown_once() -> None:
    world = World()
    engine = Engine(run="run", limits=LIMITS, strategies=[], cache=world.cache, account=world.account)
    event = OrderRejected(YES, START, ClientOrderId("o1"), "no")
    told = replace(
        EMPTY_STEP, notes=(EngineNote(START, "duplicate", "Fill t1"), EngineNote(START, "halted", "too much"))
    )
    assert [line[13:] for line in lines_of(event, told, engine)] == ["halted: too much"]


def test_the_same_refusal_again_is_a_number_so_that_fills_are_seen() -> None:
    world, refusals = World(), RefusalLines()
    engine = Engine(run="run", limits=LIMITS, strategies=[], cache=world.cache, account=world.account)

    def lines(ts: int, *reasons: str) -> list[str]:
        refused = tuple(Refused(ts, intent(), reason, f"because of {reason}") for reason in reasons)
        event = book((), ((51, 10),), ts=ts)
        return [line[13:] for line in told_lines(event, replace(EMPTY_STEP, refusals=refused), engine, refusals)]

    first = lines(START, "limit", "limit", "collar")
    assert [line.split("  ")[0].strip() for line in first] == ["me", "me"]
    assert "refused    because of limit" in first[0]
    assert "refused    because of collar" in first[1]
    assert "Yes: " in first[0]  # a refusal without its market is of no use
    assert lines(START + PATIENCE - 1, *["limit"] * 100) == []
    (again,) = lines(START + PATIENCE, "limit")
    assert again.endswith("; 101 more for this reason before")
    assert lines(START + 2 * PATIENCE, "limit") == [first[0]]
