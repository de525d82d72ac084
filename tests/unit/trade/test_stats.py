"""The counts of a run."""

from predsurv.core.events import Tick
from predsurv.core.orders import Refused
from predsurv.engine.risk.gate import GateDecision
from predsurv.engine.step import Step
from predsurv.trade.stats import RunStats, basket_stats
from tests.kit.trading_samples import ME, NO, START, World, approved, book, cancel, fill, intent, place, resolved


def test_events_intents_orders_and_fills_are_counted() -> None:
    stats = RunStats()
    stats.count_event(Tick(START))
    stats.count_event(book(ts=START + 1))
    stats.count_event(book(ts=START + 9))
    assert (stats.ticks, stats.events, stats.first, stats.last) == (1, 2, START + 1, START + 9)
    stats.count_step(
        Step(
            (GateDecision(approved(place()), intent()), GateDecision(approved(cancel()), None)),
            (Refused(START, intent(), "cash", "no"),),
        )
    )
    counts = stats.of(ME)
    assert counts.intents == 2
    assert counts.signals == {"test": 2}
    assert counts.refusals == {"cash": 1}


def test_baskets_count_once_complete_and_earn_once_over() -> None:
    account = World().account
    for group in ("good", "bad", "early"):
        ts = START - 1 if group == "early" else START
        account.place(place(f"{group}1", group=group), ts)
        account.place(place(f"{group}2", key=NO, group=group), ts)
    account.apply(fill("good1", price=45))
    account.apply(fill("good2", price=50, key=NO))
    account.apply(fill("bad1", price=45))
    count = basket_stats(account, START)[ME]
    assert (count.found, count.filled, count.settled) == (2, 1, 0)
    account.settle(resolved())
    count = basket_stats(account, START)[ME]
    assert (count.found, count.filled, count.settled) == (2, 1, 1)
    assert count.pnl == 500_000 + 5_500_000
    assert basket_stats(account)[ME].found == 3
