"""The exchange: books, agents, lives of markets and outside accounts under one deterministic clock.

Kept apart because feed, broker and simulators are only views of it: everything that happens is
decided here, from the seed and the orders that come in, and from nothing else.
"""

import heapq
from collections.abc import Callable, Sequence
from typing import Final

from predsurv.core.ids import InstrumentKey
from predsurv.core.market import Market
from predsurv.core.num import Price
from predsurv.core.orders import Command
from predsurv.exchange.accounts import ExchangeAccount
from predsurv.exchange.directory import BookState, MarketDirectory
from predsurv.exchange.mispricing import Mispricing
from predsurv.exchange.orders import OrderEntry
from predsurv.exchange.schedule import Schedule
from predsurv.exchange.tape import Tape, TapeEvent
from predsurv.exchange.units import CorrelatedUnit
from predsurv.exchange.world import SECOND, UnitSpec, build, records

ORIGIN: Final = 1_790_000_000 * SECOND
"""When an exchange starts that is not told (ns UTC)."""
UNITS_ADDED_MAX: Final = 20_000
"""So many units are listed after the start, then no more."""
_OUTSIDE: Final = 1 << 40
"""Numbers of outside commands: after the world's own actions of the same nanosecond."""

Actor = Callable[[int], int | None]
"""Acts at a time (ns) and returns when it wants to act next, None for never."""


class Exchange:
    """A whole venue made of ``seed``. Times are ns UTC from ``origin`` on, amounts micros.

    The same seed and the same commands at the same times give the same tape, however the time is
    cut into ``advance`` calls. ``rate``: level changes a second, over all books.
    """

    def __init__(self, seed: int, markets: int, rate: int, origin: int = ORIGIN) -> None:
        self.seed = seed
        self.origin = origin
        self.directory = MarketDirectory()
        self.tape = Tape(origin)
        self.units: list[CorrelatedUnit] = []
        self.mispricings: list[Mispricing] = []
        """Ground truth of the mispriced baskets so far."""
        self._heap: list[tuple[int, int, Actor]] = []
        self._actors = 0
        self._commands = _OUTSIDE
        self._books = 0
        self._accounts: list[ExchangeAccount] = []
        self._desk = OrderEntry(self.tape, self.directory.place)
        specs = build(seed, markets)
        self._scale = max(sum(spec.weight for spec in specs), 1) * SECOND // rate
        script = Schedule(self, len(specs), len(specs) + UNITS_ADDED_MAX)
        for spec in specs:
            script.add(self.add(spec))
        script.start()
        self.tape.cut()

    @property
    def now(self) -> int:
        """Exchange time, ns UTC."""
        return self.tape.now

    @property
    def seq(self) -> int:
        """Number of the last thing on the tape; never decreases."""
        return self.tape.seq

    def advance(self, until: int, events_max: int = 0) -> list[TapeEvent]:
        """Let time pass to ``until`` (ns UTC) and return what happened, in order.

        Stops early, with ``now`` short of ``until``, once ``events_max`` (0: no limit) is reached.
        Raises ValueError when time would go back.
        """
        tape, heap = self.tape, self._heap
        if until < tape.now:
            raise ValueError(f"exchange time cannot go back from {tape.now} to {until}")
        while heap[0][0] <= until:
            now, number, act = heap[0]
            tape.now = now
            again = act(now)
            if again is None:
                heapq.heappop(heap)
            else:
                heapq.heapreplace(heap, (again, number, act))
            if events_max and len(tape.events) >= events_max:
                return tape.cut()
        tape.now = until
        return tape.cut()

    def markets(self) -> tuple[Market, ...]:
        """Return every market there is or was, in order of listing, with volumes as of now."""
        return self.directory.markets()

    def book(self, key: InstrumentKey) -> BookState:
        """Return an instrument's whole book as it is now; raises KeyError for an unknown one."""
        return self.directory.book(key, self.now)

    def open_account(self, cash: int) -> ExchangeAccount:
        """Return a new outside account with ``cash`` micros."""
        account = ExchangeAccount(cash, self.tape)
        self._accounts.append(account)
        return account

    def submit(self, account: ExchangeAccount, command: Command) -> None:
        """Carry out a command now; answers go to the account, what it did to the tape."""
        self._desk.execute(account, command)

    def submit_at(self, at: int, account: ExchangeAccount, command: Command) -> None:
        """Carry out a command when exchange time reaches ``at`` (at once when it has)."""
        if at <= self.now:
            self.submit(account, command)
            return
        self._commands += 1

        def arrive(_: int) -> None:
            self._desk.execute(account, command)

        heapq.heappush(self._heap, (at, self._commands, arrive))

    def schedule(self, at: int, act: Actor) -> None:
        """Let ``act`` happen at ``at``, for the exchange's own parts."""
        self._actors += 1
        heapq.heappush(self._heap, (at, self._actors, act))

    def add(self, spec: UnitSpec) -> CorrelatedUnit:
        """List the markets of ``spec`` and set its agents to work."""
        interval = self._scale // spec.weight if spec.weight else 0
        unit = CorrelatedUnit(spec, self.tape, self._books, interval)
        self.units.append(unit)
        self._books += len(unit.books)
        for offset, market in enumerate(records(spec, self.origin)):
            self.directory.enter(market, unit.books[offset : offset + 1] if spec.kind == "event" else unit.books)
        unit.open()
        if interval:
            self.schedule(self.now + 1 + unit.draw(2 * interval), unit.wake)
        return unit

    def settle(self, market: Market, payouts: Sequence[Price], *, void: bool) -> None:
        """Pay a market out to whoever holds it."""
        paid = tuple(zip((outcome.instrument_id for outcome in market.outcomes), payouts, strict=True))
        self.tape.settled(market, paid, void=void)
        for account in self._accounts:
            account.settle(paid)
