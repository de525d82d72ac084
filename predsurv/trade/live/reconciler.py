"""Keeps our account equal to the venue's: at the start, after every gap, every minute, and at the end.

The venue is right. What differs twice in a row is told, journalled as a correction, and nothing is placed meanwhile.
"""

import logging
from collections.abc import Iterable
from typing import Final

from predsurv.core.errors import SafetyError, TransientError
from predsurv.core.events import MarketResolved
from predsurv.core.ids import InstrumentKey
from predsurv.engine.account.account import TradingAccount
from predsurv.ports import Clock
from predsurv.trade.live.differences import AccountDifference, cash_beside_orders, differences, foreign
from predsurv.venues.account_reports import OrderReport, TradeReport
from predsurv.venues.execution.gateway import AccountState
from predsurv.venues.execution.live_broker import LiveBroker

LOOK_BACK: Final = 600_000_000_000
"""Trades are read from this long (ns) before the last comparison, or the oldest order that is not over."""
CONFIRM_AFTER: Final = 1_000_000_000
"""A difference counts when a second reading, this much (ns) later, has it too."""
READINGS_MAX: Final = 5
"""Most readings of one comparison: while trades come in, every one differs in something else."""
LASTING: Final = 45_000_000_000
"""Cash that differs while orders rest is made right when it still differs by the same this long (ns) later."""
RESOLVE_EVERY: Final = 250_000_000
RESOLVE_TRIES: Final = 120
"""Most times that orders of an earlier run are asked for before a run begins, ``RESOLVE_EVERY`` (ns) between."""

_LOG = logging.getLogger(__name__)


class Reconciler:
    """Compares one account; corrections are told by its broker. ``compared``: when it last agreed (ns UTC), or 0."""

    def __init__(self, broker: LiveBroker, account: TradingAccount, clock: Clock) -> None:
        self._broker, self._account, self._clock = broker, account, clock
        self._venue = broker.account.gateway.venue
        self.compared = 0
        self._lasting: tuple[str, int] = ("", 0)
        """How cash differed while orders rested, and since when (ns, monotonic)."""

    async def resolve(self) -> None:
        """Ask what became of every order whose state is not known; raises TransientError when the venue is silent."""
        asked = self._broker.following.orders.asked
        for _ in range(RESOLVE_TRIES):
            await self._broker.requests.ask()
            if not asked:
                return
            await self._clock.sleep(RESOLVE_EVERY)
        raise TransientError(
            f"{self._venue} does not say what became of {len(asked)} orders of an earlier run; nothing was sent; "
            "try later"
        )

    async def compare(self) -> None:
        """Compare and correct; raises SafetyError for an order that is not ours, PredsurvError when nothing is read."""
        before: tuple[AccountDifference, ...] = ()
        for reading in range(READINGS_MAX):
            state = await self._read()
            found = differences(self._venue, self._account, state)
            same = tuple(each for each in found if each.text in {other.text for other in before})
            for difference in same:
                self._correct(difference)
            await self._broker.settled()
            if not found or len(same) == len(found):
                await self._look_at_cash(state)
                break
            before = found
            if reading + 1 < READINGS_MAX:
                await self._clock.sleep(CONFIRM_AFTER)
        else:
            raise TransientError(f"{self._venue}: the account changes faster than it can be compared; trying again")
        self.compared = self._clock.now()

    def _correct(self, difference: AccountDifference) -> None:
        _LOG.warning("%s: corrected: %s", self._venue, difference.text)
        for correction in difference.corrections:
            self._broker.tell(correction)

    async def _look_at_cash(self, state: AccountState) -> None:
        """Correct cash that differs by the same for a while, where orders always rest and it is never compared else."""
        found, now = cash_beside_orders(self._venue, self._account, state), self._clock.monotonic()
        text, since = self._lasting
        if found is None or found.text != text:
            self._lasting = ("" if found is None else found.text, now)
        elif now - since >= LASTING:
            self._correct(found)
            await self._broker.settled()
            self._lasting = ("", 0)

    async def _read(self) -> AccountState:
        following = self._broker.following
        state = await self._broker.account.reader.account(self._since(), self._keys())
        questions = self._broker.requests.questions
        await questions.ask_denied(state.trades)
        await questions.ask_over(state.orders)
        reports: tuple[TradeReport | OrderReport, ...] = (*state.trades, *state.orders)
        for report in reports:
            if following.orders.of(report) is not None:
                following.absorb(report)
        await self._broker.requests.ask()
        self._settle(state.settlements)
        await self._broker.settled()
        others = foreign(state, following.orders.order_ids())
        if others:
            raise SafetyError(
                f"{self._venue} has {len(others)} open orders that are not in this account's journal "
                f"({others[0][:20]}…); 'predsurv orders cancel --venue {self._venue} --all' cancels them"
            )
        following.is_foreign = False
        return state

    def _settle(self, settlements: Iterable[MarketResolved]) -> None:
        """Tell of markets that the venue paid out and nobody has told of: their payout is a payout, no correction."""
        portfolio = self._account.portfolio
        for each in settlements:
            market = (each.venue, each.market_id)
            if market in portfolio.followed and market not in portfolio.payouts:
                self._broker.tell(each)

    def _keys(self) -> set[InstrumentKey]:
        held = {each.key for each in self._account.portfolio.positions.totals() if each.key.venue == self._venue}
        return held | self._broker.following.orders.keys()

    def _since(self) -> int:
        live = [each.submitted for each in self._account.orders.live() if each.key.venue == self._venue]
        unconfirmed = [fill.ts_recv for _, fill in self._account.portfolio.unconfirmed.all()]
        return max(min([self.compared or self._clock.now(), *live, *unconfirmed]) - LOOK_BACK, 0)
