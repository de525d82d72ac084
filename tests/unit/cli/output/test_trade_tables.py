"""The tables at the end of a run say what its figures rest on."""

from msgspec.structs import replace

from predsurv.cli.output.trade_tables import lines_of, strategy_table
from predsurv.core.num import MICROS, Money, Price
from predsurv.engine.engine import Engine
from predsurv.strategies.arbitrage import Arbitrage
from predsurv.trade.stats import RunStats
from tests.kit.manual_view import ABC, yes
from tests.kit.trading_samples import LIMITS, START, World, book, fill, place


def run_with(*, assumed: bool) -> tuple[RunStats, World]:
    stats, world = RunStats(), World()
    world.account.place(place(), START)
    stats.count_account_event(fill(fee=Money(3), fee_assumed=assumed), world.account)
    return stats, world


def test_fills_at_an_assumed_fee_are_counted_and_named() -> None:
    stats, world = run_with(assumed=True)
    table = strategy_table(stats, world.account)
    (row,) = table.rows
    assert dict(zip((column.key for column in table.columns), row, strict=True))["fees_assumed"] == 1
    assert table.note.endswith("fills at an assumed fee, because nobody stated their markets' fees: 1")


def test_nothing_is_said_where_every_fee_was_stated() -> None:
    stats, world = run_with(assumed=False)
    assert "assumed" not in strategy_table(stats, world.account).note


def test_what_a_strategy_notes_of_an_order_stands_below_it() -> None:
    world = World(ABC)
    limits, run = replace(LIMITS, price_collar=Price(MICROS)), "run"
    engine = Engine(run=run, limits=limits, strategies=[Arbitrage()], cache=world.cache, account=world.account)
    lines: list[str] = []
    for index, price in enumerate((30, 31, 32)):
        event = book((), ((price, 50),), yes(index))
        lines += lines_of(event, engine.step(event), engine)
    assert "yes_basket buy 50 @ 0.3 " in lines[0]
    assert "arbitrage sure gain 2.217 for 47.783 (fees 1.283)" in lines[1]
    assert len(lines) == 4
