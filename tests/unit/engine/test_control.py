"""Halted, only reducing, or free to trade: by order and by the day's loss."""

from predsurv.core.events import OrderUnknown, Tick
from predsurv.core.num import MICROS, Money
from predsurv.core.orders import CancelOrder, Intent
from predsurv.engine.account.valuation import DAY
from predsurv.engine.engine import Engine
from predsurv.engine.loss_limit import LOSS_STANDS
from predsurv.engine.step import EMPTY_STEP
from tests.kit.eager_engine import FIRST, Eager, engine
from tests.kit.trading_samples import START, YES, book, fill, intent


def resting(made: Engine) -> list[str]:
    return [order.side for order in made.account.orders.live()]


def test_reducing_cancels_bids_and_sends_sales_only_until_resumed() -> None:
    sales = [intent("sell", price, 5, tif="gtc") for price in (60, 61)]
    eager = Eager(intents=[intent(size=20), sales[0], intent(), sales[1], intent()])
    made = engine(eager)
    made.step(book())
    made.step(fill(FIRST, size=10))
    made.step(book())
    step = made.control.reduce(START, "by hand")
    assert [note.kind for note in step.notes] == ["reducing"]
    assert [command.command.client_order_id for command in step.commands] == [FIRST]
    assert made.control.reduce(START, "again").notes == ()
    assert [refused.reason for refused in made.step(book()).refusals] == ["reducing"]
    assert len(made.step(book()).commands) == 1
    assert (made.control.trading, resting(made)) == ("reducing", ["buy", "sell", "sell"])
    assert [note.kind for note in made.control.resume(START).notes] == ["resumed"]
    assert len(made.step(book()).commands) == 1


def test_a_bid_that_was_unknown_when_bids_were_cancelled_is_cancelled_and_its_fill_is_told() -> None:
    eager = Eager(intents=[intent()])
    made = engine(eager)
    made.step(book())
    made.step(OrderUnknown(YES, START, FIRST, "time-out"))
    made.control.reduce(START, "by hand")
    found = made.step(fill(FIRST, size=4))
    assert [type(command.command) for command in found.commands] == [CancelOrder]
    assert isinstance(eager.received[-1], type(fill()))


def lossy(*intents: Intent, equity: int = 1_500) -> Engine:
    made = engine(Eager(intents=list(intents)))
    made.control.continue_day(START, Money(equity * MICROS), lost_too_much=False)
    return made


def test_a_loss_at_its_limit_that_stands_leaves_sales_only_until_the_day_ends() -> None:
    made = lossy(intent(), equity=1_400)
    made.step(book())
    made.control.continue_day(START, Money(1_500 * MICROS), lost_too_much=False)
    assert made.step(Tick(START)).notes == ()
    assert made.step(Tick(START + LOSS_STANDS - 1)).notes == ()
    step = made.step(Tick(START + LOSS_STANDS))
    assert [note.kind for note in step.notes] == ["loss_limit"]
    assert [command.command.client_order_id for command in step.commands] == [FIRST]
    assert made.step(Tick(START + LOSS_STANDS)) is EMPTY_STEP
    assert (made.control.trading, made.control.ordered) == ("reducing", "active")
    tomorrow = made.step(Tick((START // DAY + 1) * DAY))
    assert [note.kind for note in tomorrow.notes] == ["day", "resumed"]
    assert made.control.trading == "active"


def test_a_loss_that_passes_limits_nothing_for_the_day() -> None:
    made = lossy()
    made.step(Tick(START))
    made.control.continue_day(START, Money(1_000 * MICROS), lost_too_much=False)
    made.step(Tick(START + LOSS_STANDS))
    made.control.continue_day(START, Money(1_500 * MICROS), lost_too_much=False)
    assert made.step(Tick(START + 2 * LOSS_STANDS)) is EMPTY_STEP
    assert made.control.trading == "active"


def test_what_a_person_ordered_and_the_loss_limit_are_lifted_apart() -> None:
    made = lossy()
    made.control.continue_day(START, Money(1_000 * MICROS), lost_too_much=True)
    made.control.halt(START, "by hand")
    assert [note.kind for note in made.control.resume(START).notes] == ["reducing"]
    made.control.reduce(START, "by hand")
    tomorrow = made.step(Tick((START // DAY + 1) * DAY))
    assert [(note.kind, note.detail) for note in tomorrow.notes][1:] == [("reducing", "a new UTC day; still in force")]


def test_a_loss_limit_reached_while_halted_cancels_nothing_twice() -> None:
    made = lossy(intent())
    made.control.continue_day(START, Money(1_000 * MICROS), lost_too_much=False)
    made.step(book())
    made.control.halt(START, "by hand")
    made.control.continue_day(START, Money(1_500 * MICROS), lost_too_much=False)
    made.step(Tick(START))
    step = made.step(Tick(START + LOSS_STANDS))
    assert ([note.kind for note in step.notes], step.commands) == (["loss_limit"], ())
