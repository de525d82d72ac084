"""The tables at the end of a run say what its figures rest on."""

from predsurv.cli.output.trade_tables import strategy_table
from predsurv.core.num import Money
from predsurv.trade.stats import RunStats
from tests.kit.trading_samples import START, World, fill, place


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
