"""The exchange: books, agents, scheduled events and outside accounts under one deterministic clock.

Everything that happens is a function of the seed and the incoming orders; feeds, brokers and simulators are views.
"""

import heapq
from collections.abc import Sequence
from typing import Final

from predsurv.core.ids import InstrumentKey
from predsurv.core.market import Market
from predsurv.core.num import Price
from predsurv.core.orders import Command, PlaceOrder
from predsurv.exchange.accounts import ExchangeAccount
from predsurv.exchange.directory import BookState, MarketDirectory
from predsurv.exchange.market_group import MarketGroup
from predsurv.exchange.mispricing import Mispricing
from predsurv.exchange.orders import OrderGateway
from predsurv.exchange.schedule import EventSchedule, TimedAction
from predsurv.exchange.tape import Tape, TapeEvent
from predsurv.exchange.world import SECOND, GroupSpec, build_groups, market_records

ORIGIN: Final = 1_790_000_000 * SECOND
"""Default start of exchange time (ns UTC)."""
GROUPS_ADDED_MAX: Final = 20_000
"""Most groups that are listed after the start."""
_FIRST_COMMAND: Final = 1 << 40
"""Outside commands are numbered from here: within one nanosecond they follow the exchange's own actions."""


class Exchange:
    """A venue generated from ``seed``. Times are ns UTC from ``origin`` on, amounts micros.

    The same seed and the same commands at the same times give the same tape, however the time is
    divided into ``advance`` calls. ``rate``: level changes a second, over all books.
    """

    def __init__(self, seed: int, markets: int, rate: int, origin: int = ORIGIN, *, fine_grids: bool = False) -> None:
        self.seed = seed
        self.origin = origin
        self.directory = MarketDirectory()
        self.tape = Tape(origin)
        self.groups: list[MarketGroup] = []
        self.mispricings: list[Mispricing] = []
        """Every mispricing so far."""
        self._actions: list[tuple[int, int, TimedAction]] = []
        """A heap of (time, number, action)."""
        self._action_number = 0
        self._command_number = _FIRST_COMMAND
        self._book_count = 0
        self._accounts: list[ExchangeAccount] = []
        self._gateway = OrderGateway(self.tape, self.directory.listing)
        specs = build_groups(seed, markets, fine_grids=fine_grids)
        self._interval_of_weight_1 = max(sum(spec.weight for spec in specs), 1) * SECOND // rate
        self._schedule = EventSchedule(self, len(specs), len(specs) + GROUPS_ADDED_MAX)
        for spec in specs:
            self._schedule.add(self.add_group(spec))
        self._schedule.start()
        self.tape.take_events()

    @property
    def now(self) -> int:
        """Exchange time, ns UTC."""
        return self.tape.now

    @property
    def seq(self) -> int:
        """Sequence number of the last tape event; never decreases."""
        return self.tape.seq

    def advance(self, until: int, events_max: int = 0) -> list[TapeEvent]:
        """Advance exchange time to ``until`` (ns UTC) and return the tape events, in order.

        Stops early, with ``now`` before ``until``, once ``events_max`` (0: no limit) is reached.
        Raises ValueError when time would go back.
        """
        tape, actions = self.tape, self._actions
        if until < tape.now:
            raise ValueError(f"exchange time cannot go back from {tape.now} to {until}")
        while actions[0][0] <= until:
            now, number, action = actions[0]
            tape.now = now
            next_time = action(now)
            if next_time is None:
                heapq.heappop(actions)
            else:
                heapq.heapreplace(actions, (next_time, number, action))
            if events_max and len(tape.events) >= events_max:
                return tape.take_events()
        tape.now = until
        return tape.take_events()

    def markets(self) -> tuple[Market, ...]:
        """Return every market ever listed, in order of listing, with its current volume."""
        return self.directory.markets()

    def book(self, key: InstrumentKey) -> BookState:
        """Return an instrument's whole current book; raises KeyError for an unknown one."""
        return self.directory.book(key, self.now)

    def open_account(self, cash: int) -> ExchangeAccount:
        """Return a new account with ``cash`` micros."""
        account = ExchangeAccount(cash, self.tape)
        self._accounts.append(account)
        return account

    def submit(self, account: ExchangeAccount, command: Command) -> None:
        """Execute a command now: account events go to the account, market events to the tape."""
        self._gateway.execute(account, command)
        if isinstance(command, PlaceOrder) and command.expires is not None and command.expires > self.now:
            self.schedule(command.expires, lambda _: self._gateway.expire(account, command))

    def submit_at(self, at: int, account: ExchangeAccount, command: Command) -> None:
        """Execute a command when exchange time reaches ``at`` (now when it has)."""
        if at <= self.now:
            self.submit(account, command)
            return
        self._command_number += 1
        heapq.heappush(self._actions, (at, self._command_number, lambda _: self.submit(account, command)))

    def schedule(self, at: int, action: TimedAction) -> None:
        """Call ``action`` at ``at`` (ns UTC); for the exchange's own parts."""
        self._action_number += 1
        heapq.heappush(self._actions, (at, self._action_number, action))

    def add_group(self, spec: GroupSpec) -> MarketGroup:
        """List the markets of ``spec`` and start its agents."""
        interval = self._interval_of_weight_1 // spec.weight if spec.weight else 0
        group = MarketGroup(spec, self.tape, self._book_count, interval, self._schedule.refine_tick)
        self.groups.append(group)
        self._book_count += len(group.books)
        for offset, market in enumerate(market_records(spec, self.origin)):
            self.directory.add(market, group.books[offset : offset + 1] if spec.kind == "event" else group.books)
        group.place_opening_quotes()
        if interval:
            self.schedule(self.now + 1 + group.draw(2 * interval), group.act)
        return group

    def settle(self, market: Market, payouts: Sequence[Price], *, void: bool) -> None:
        """Report the settlement of a market and pay the accounts that hold its shares."""
        price_by_outcome = tuple(zip((outcome.instrument_id for outcome in market.outcomes), payouts, strict=True))
        self.tape.add_settlement(market, price_by_outcome, void=void)
        for account in self._accounts:
            account.settle(price_by_outcome)


def begin_instant(exchange: Exchange) -> int:
    """Begin the next nanosecond for an order from outside and return it; what happens then stays on the tape."""
    exchange.tape.events = exchange.advance(exchange.now + 1)
    return exchange.now
