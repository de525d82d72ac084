"""What differs between our account and the venue's, and the corrections that follow. Pure.

The venue is right. Only what can be known is compared: shares of an instrument while nothing of ours may trade or fail
in it, cash while that holds for the whole venue, or while it differs by the same amount again and again.
"""

from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.core.num import Money, Size, format_micros
from predsurv.core.reconciliation import CashCorrected, Correction, PositionCorrected
from predsurv.engine.account.account import TradingAccount
from predsurv.venues.account_reports import NOBODY
from predsurv.venues.execution.gateway import AccountState

REASON: Final = "the venue says so"


class AccountDifference(NamedTuple):
    """One difference, for people, and what makes ours right."""

    text: str
    corrections: tuple[Correction, ...]


def differences(venue: VenueName, account: TradingAccount, state: AccountState) -> tuple[AccountDifference, ...]:
    """Return what differs in cash and in the shares of the instruments that ``state`` was asked for."""
    return (*_cash(venue, account, state), *_positions(account, state))


def unsettled(venue: VenueName, account: TradingAccount) -> set[InstrumentKey]:
    """Return the instruments of a venue with fills that may still fail."""
    return {fill.key for _, fill in account.portfolio.unconfirmed.all() if fill.key.venue == venue}


def cash_beside_orders(venue: VenueName, account: TradingAccount, state: AccountState) -> AccountDifference | None:
    """Return how cash differs while orders rest that leave it as it is, None where it does not or cannot be known.

    An order may have traded a moment ago and a balance lag behind, so one sight of it says little.
    """
    live = [each for each in account.orders.live() if each.key.venue == venue]
    more = account.portfolio.cash(venue) - state.cash
    if not more or not live or not state.is_cash_whole or unsettled(venue, account):
        return None
    if any(each.state != "open" for each in live):
        return None
    text = f"cash {format_micros(more)} USD more here than there, with orders in the book"
    return AccountDifference(text, (CashCorrected(venue, state.ts, state.cash, REASON),))


def _cash(venue: VenueName, account: TradingAccount, state: AccountState) -> Iterator[AccountDifference]:
    live = [each for each in account.orders.live() if each.key.venue == venue]
    here = account.portfolio.cash(venue)
    if unsettled(venue, account) or live or here == state.cash:
        return
    text = f"cash {format_micros(here)} USD here, {format_micros(state.cash)} there"
    yield AccountDifference(text, (CashCorrected(venue, state.ts, state.cash, REASON),))


def _positions(account: TradingAccount, state: AccountState) -> Iterator[AccountDifference]:
    working = {each.key for each in account.orders.live()}
    for report in state.positions:
        key = report.key
        owners = account.portfolio.positions.by_strategy(key)
        here = sum(position.size for _, position in owners)
        moving = key in working or key in unsettled(key.venue, account)
        if here == report.size or moving or not (owners or _is_ours(account, key)):
            continue
        text = f"{format_micros(here)} shares of {str(key)[:60]} here, {format_micros(report.size)} there"
        yield AccountDifference(text, tuple(_corrected(account, key, report.size, state.ts)))


def _is_ours(account: TradingAccount, key: InstrumentKey) -> bool:
    """Return whether we ordered in a market that is not paid out here; what was may wait there to be redeemed."""
    market = (key.venue, key.market_id)
    return market in account.portfolio.followed and market not in account.portfolio.payouts


def _corrected(account: TradingAccount, key: InstrumentKey, size: Size, ts: int) -> Iterator[Correction]:
    """Yield corrections that take what is missing from the last holder first, and give what is more to the first."""
    owners = account.portfolio.positions.by_strategy(key)
    if not owners:
        yield PositionCorrected(key, ts, NOBODY, size, Money(0), REASON)
        return
    change = size - sum(position.size for _, position in owners)
    if change > 0:
        strategy, position = owners[0]
        yield PositionCorrected(key, ts, strategy, Size(position.size + change), position.cost, REASON)
        return
    for strategy, position in reversed(owners):
        taken = min(position.size, -change)
        if taken:
            change += taken
            left = Size(position.size - taken)
            cost = Money(position.cost * left // position.size)
            yield PositionCorrected(key, ts, strategy, left, cost, REASON)


def foreign(state: AccountState, known: Collection[str]) -> tuple[str, ...]:
    """Return the ids of open orders at the venue that are not among ``known`` (in small letters)."""
    return tuple(each.order_id for each in state.orders if each.order_id.lower() not in known)
