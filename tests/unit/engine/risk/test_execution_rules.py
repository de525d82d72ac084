"""Where orders are really executed: holds, and outcomes that a venue nets."""

from msgspec.structs import replace

from predsurv.core.ids import VenueName
from predsurv.core.num import Money
from predsurv.core.reconciliation import CashCorrected, PositionCorrected, TradingHeld
from predsurv.engine.engine import Engine
from predsurv.engine.risk.execution_rules import ExecutionRules, VenueRules
from tests.kit.trading_samples import LIMITS, ME, NO, START, YES, V, World, market, place, shares


def test_nothing_is_placed_before_the_first_comparison_and_while_something_holds() -> None:
    rules = ExecutionRules(World().account)
    assert not rules.held
    rules.begin(VenueRules(frozenset({V})))
    assert V in rules.held
    rules.hold(V, "")
    assert not rules.held
    rules.hold(V, "down")
    assert rules.held == {V: "down"}
    rules.hold(V, "")
    rules.hold(V, "")
    assert not rules.held


def test_the_other_outcome_is_netted_where_the_venue_does_that_and_really_executes() -> None:
    kalshi = VenueName("kalshi")
    traded = replace(market(), venue=kalshi)
    yes, no = traded.keys()
    world = World()
    rules = ExecutionRules(world.account)
    world.account.place(place(key=yes), START)
    assert not rules.is_netted(traded, no)  # on paper
    rules.begin(VenueRules(frozenset({kalshi})))
    assert rules.is_netted(traded, no)  # it may be held any moment
    assert not rules.is_netted(traded, yes)
    here = ExecutionRules(world.account)
    here.begin(VenueRules(frozenset({V})))
    assert not here.is_netted(market(), NO)
    simulated = ExecutionRules(world.account)
    simulated.begin(VenueRules(netting=frozenset({kalshi})))
    assert simulated.is_netted(traded, no)
    assert not simulated.held  # nothing has to be compared


def engine(world: World) -> Engine:
    rules = VenueRules(frozenset({V}))
    return Engine(run="r", limits=LIMITS, strategies=[], cache=world.cache, account=world.account, rules=rules)


def test_a_correction_changes_the_account_and_is_no_gain_or_loss_of_the_day() -> None:
    world = World()
    made = engine(world)
    made.step(TradingHeld(V, START, ""))
    before = made.valuation.equity()
    made.valuation.begin_day(START, before)
    assert made.step(CashCorrected(V, START, Money(before - 600_000_000), "the venue says so")).booked
    assert world.account.portfolio.cash(V) == before - 600_000_000
    assert made.step(PositionCorrected(YES, START, ME, shares(10), Money(5_000_000), "the venue says so")).booked
    assert world.account.portfolio.positions.size_of(ME, YES) == shares(10)
    assert made.valuation.day_loss() == 0
