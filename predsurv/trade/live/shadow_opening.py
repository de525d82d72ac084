"""What a shadow run begins with: the cash that the venue's account has free, and the shares of the live account."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from predsurv.core.ids import VenueName
from predsurv.core.num import Money, Size, notional_up
from predsurv.core.reconciliation import PositionCorrected
from predsurv.ports import Clock
from predsurv.trade.journal import OrderJournal, restore
from predsurv.venues.execution.gateway import AccountState, FundsCheck, VenueAccount


class ShadowStart(NamedTuple):
    """An account as it was read: cash that no order needs (micros), what more an order needs, and shares held."""

    cash: Money
    check_funds: FundsCheck
    held: tuple[PositionCorrected, ...]


async def read_shadow_start(account: VenueAccount, journals: Iterable[Path], clock: Clock) -> ShadowStart:
    """Read the account of a venue, and the ``journals`` of what was traded with it.

    From now on the account's connections send reads alone. Raises PredsurvError.
    """
    account.forbid_writes()
    state = await account.reader.account(clock.now(), ())
    return ShadowStart(
        free_cash(state), await account.read_funds(), tuple(_held(journals, account.gateway.venue, clock.now()))
    )


def free_cash(state: AccountState) -> Money:
    """Return the cash (micros) that no resting buy needs, fees not counted."""
    if state.is_cash_free:
        return state.cash
    buys = (each for each in state.orders if each.side == "buy")
    resting = sum(notional_up(each.price, Size(each.size - each.filled)) for each in buys)
    return Money(max(state.cash - resting, 0))


def _held(journals: Iterable[Path], venue: VenueName, now: int) -> Iterator[PositionCorrected]:
    """Yield what each strategy holds at a venue by journals, as entries of another."""
    for path in journals:
        journal = OrderJournal(path, readonly=True)
        try:
            account = restore(journal.entries()).account
        finally:
            journal.close()
        for strategy, position in account.portfolio.positions.all():
            if position.size and position.key.venue == venue:
                reason = f"held by {path.stem} when this run began"
                yield PositionCorrected(position.key, now, strategy, position.size, position.cost, reason)
