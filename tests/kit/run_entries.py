"""Journal entries of a run, for tests of its results."""

from typing import Any

from predsurv.core.num import MICROS, Money
from predsurv.core.orders import Approved
from predsurv.engine.risk.gate import GateDecision
from predsurv.trade.journal import AccountUpdated, CommandSent, RunStarted
from tests.kit.trading_samples import ME, START, V, fill, place

CASH = Money(10_000 * MICROS)


def started(cash: Money = CASH) -> RunStarted:
    """The start of a paper run."""
    return RunStarted(START, "paper", "paper", (ME,), ((V, cash),))


def sent(name: str, **changes: Any) -> CommandSent:
    """An order of ``place``, sent."""
    return CommandSent(GateDecision(Approved(START, place(name, **changes)), None))


def filled(name: str, *args: Any, **changes: Any) -> AccountUpdated:
    """A trade of ``fill``."""
    return AccountUpdated(fill(name, *args, **changes))
