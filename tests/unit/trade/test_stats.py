"""Counts say what happened."""

from predsurv.core.events import OrderRejected, Tick
from predsurv.core.ids import ClientOrderId
from predsurv.core.num import Money
from predsurv.core.orders import Refused
from predsurv.engine.engine import Step
from predsurv.engine.risk.gate import GateDecision
from predsurv.trade.stats import RunStats, count_baskets
from tests.kit.trading_samples import ME, NO, START, YES, World, approved, book, cancel, fill, intent, place, resolved


def test_events_wishes_orders_and_answers() -> None:
    tally, world = RunStats(), World()
    tally.seen(Tick(START))
    tally.seen(book(ts=START + 1))
    tally.seen(book(ts=START + 9))
    assert (tally.ticks, tally.events, tally.first, tally.last) == (1, 2, START + 1, START + 9)
    tally.decided(
        Step(
            (GateDecision(approved(place()), intent()), GateDecision(approved(cancel()), None)),
            (Refused(START, intent(), "cash", "no"),),
        )
    )
    world.ledger.place(place(), START)
    tally.answered(fill(fee=Money(3)), world.ledger)
    tally.answered(OrderRejected(YES, START, ClientOrderId("o1"), "no"), world.ledger)
    tally.answered(fill("who"), world.ledger)
    counts = tally.of(ME)
    assert (counts.intents, counts.orders, counts.fills, counts.rejected, counts.fees) == (2, 1, 1, 1, 3)
    assert counts.traded == 5_100_000
    assert counts.signals == {"test": 2}
    assert counts.refusals == {"cash": 1}


def test_baskets_count_once_complete_and_earn_once_over() -> None:
    ledger = World().ledger
    for group in ("good", "bad", "early"):
        ts = START - 1 if group == "early" else START
        ledger.place(place(f"{group}1", group=group), ts)
        ledger.place(place(f"{group}2", key=NO, group=group), ts)
    ledger.apply(fill("good1", price=45))
    ledger.apply(fill("good2", price=50, key=NO))
    ledger.apply(fill("bad1", price=45))
    count = count_baskets(ledger, START)[ME]
    assert (count.found, count.filled, count.settled) == (2, 1, 0)
    ledger.settle(resolved())
    count = count_baskets(ledger, START)[ME]
    assert (count.found, count.filled, count.settled) == (2, 1, 1)
    assert count.pnl == 500_000 + 5_500_000
    assert count_baskets(ledger)[ME].found == 3
