"""Who moves the execution takes turns, and what one of them decides the next one sees."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from predsurv.core.events import AccountEvent, BookSnapshot, Event
from predsurv.core.ids import StrategyName
from predsurv.core.num import MICROS, Money
from predsurv.core.orders import AccountSnapshot, Approved, CancelOrder, Intent
from predsurv.engine.ledger import Ledger
from predsurv.engine.step import Engine, Setup
from predsurv.net.clock import ManualClock
from predsurv.state.market_cache import MarketCache
from predsurv.state.view import View
from predsurv.trade.control import Control, Trader
from predsurv.trade.halting import HaltFlag
from predsurv.trade.journal import Journal
from predsurv.trade.tally import Tally
from tests.unit.engine.desks import LIMITS, ME, START, V, book, fill, intent, market


class Buyer:
    """Wishes at every snapshot."""

    name = StrategyName(ME)
    signals = frozenset({"test"})

    def on_event(self, event: Event, view: View) -> Iterable[Intent]:
        return [intent()] if isinstance(event, BookSnapshot) else []


class SlowBroker:
    """Takes its time over every cancel, as a request over a network does."""

    def __init__(self) -> None:
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()

    async def submit(self, command: Approved) -> None:
        if isinstance(command.command, CancelOrder):
            self.asked.set()
            await self.may_answer.wait()

    async def events(self) -> AsyncIterator[AccountEvent]:
        for event in ():
            yield event

    async def snapshot(self) -> AccountSnapshot:
        return AccountSnapshot(START, Money(1_000 * MICROS))

    async def aclose(self) -> None:
        return None


def trader(folder: Path, broker: SlowBroker) -> Trader:
    cache = MarketCache()
    cache.add(market())
    ledger = Ledger({V: Money(1_000 * MICROS)})
    return Trader(
        engine=Engine(Setup(run="run", limits=LIMITS), [Buyer()], cache, ledger),
        journal=Journal(folder / "journal.db", durable=False),
        tally=Tally(),
        brokers={V: broker},
        clock=ManualClock(START),
        halt=HaltFlag(folder / "halt.json"),
        realtime=True,
    )


async def test_a_halt_is_not_taken_back_while_its_cancels_are_on_their_way(tmp_path: Path) -> None:
    broker = SlowBroker()
    made = trader(tmp_path, broker)
    control = Control(made, lambda event, step: None)
    await control.open()
    await control.take([book()])
    assert made.engine.ledger.blotter.live_count() == 1
    halting = asyncio.create_task(control.answer(fill("who")))
    await broker.asked.wait()  # halted, and the flag is raised only once the cancel has been sent
    obeying = asyncio.create_task(control.obey())
    await asyncio.sleep(0)
    broker.may_answer.set()
    await asyncio.gather(halting, obeying)
    assert made.engine.desk.halted
    made.journal.close()
