"""What a comparison with the venue corrects is nobody's profit; a rebate is of who earned it."""

import pytest

from predsurv.core.errors import BrokenInvariant
from predsurv.core.events import RebatePaid
from predsurv.core.ids import EventId, MarketId, StrategyName, VenueName
from predsurv.core.num import MICROS, Money
from predsurv.core.reconciliation import CashCorrected, PositionCorrected
from predsurv.trade.journal import AccountCorrected, Entry, RebateBooked
from predsurv.trade.results.ledger import Ledger, LineKey, Opening, fold
from tests.kit.run_entries import CASH, filled, sent, started
from tests.kit.trading_samples import ME, NO, START, YES, V, market, shares

OTHER = StrategyName("other")


def event_of(_: VenueName, market_id: MarketId) -> EventId:
    return EventId(f"e-{market_id}")


def folded(*entries: Entry) -> Ledger:
    return fold(Opening(), (started(), *entries), event_of)


def rebate(amount: int, strategy: StrategyName = ME, name: str = "m") -> RebateBooked:
    return RebateBooked(RebatePaid(V, MarketId(name), START, strategy, START, Money(amount)))


def test_cash_that_the_venue_has_more_is_funds_and_no_profit() -> None:
    ledger = folded(AccountCorrected(CashCorrected(V, START, Money(CASH + 5 * MICROS), "the venue says so")))
    assert ledger.cash() == {V: CASH + 5 * MICROS}
    assert ledger.funds() == CASH + 5 * MICROS
    assert not ledger.lines


def test_shares_that_the_venue_has_more_are_held_at_their_cost_and_come_from_funds() -> None:
    found = PositionCorrected(YES, START, ME, shares(30), Money(9 * MICROS), "the venue says so")
    ledger = folded(sent("a", price=40), filled("a", 10, 40), AccountCorrected(found))
    (held,) = ledger.positions()
    assert (held.strategy, held.position.size, held.position.cost) == (ME, shares(30), 9 * MICROS)
    assert ledger.funds() == CASH + 5 * MICROS, "10 shares had cost 4 dollars"
    assert ledger.lines[LineKey(ME, YES)].realised == 0


def test_shares_that_the_venue_does_not_have_are_gone_from_funds() -> None:
    gone = PositionCorrected(YES, START, ME, shares(0), Money(0), "the venue says so")
    ledger = folded(sent("a", price=40), filled("a", 10, 40), AccountCorrected(gone))
    assert list(ledger.positions()) == []
    assert ledger.funds() == CASH - 4 * MICROS


def test_a_corrected_position_of_nobody_known_gets_a_line() -> None:
    found = PositionCorrected(NO, START, OTHER, shares(5), Money(MICROS), "the venue says so")
    assert LineKey(OTHER, NO) in folded(AccountCorrected(found)).lines


def test_a_rebate_is_of_the_line_of_its_market_and_strategy() -> None:
    other = market("n").key(0)
    ledger = folded(sent("a", key=other), sent("b"), rebate(700))
    assert ledger.lines[LineKey(ME, YES)].rebates == 700
    assert ledger.lines[LineKey(ME, other)].rebates == 0
    assert ledger.cash() == {V: CASH + 700}


@pytest.mark.parametrize("unearned", [rebate(700, OTHER), rebate(700, name="n")])
def test_a_rebate_that_nobody_can_have_earned_is_a_broken_journal(unearned: RebateBooked) -> None:
    with pytest.raises(BrokenInvariant, match=r"a rebate of [mn], where (me|other) has ordered nothing"):
        folded(sent("a"), unearned)
