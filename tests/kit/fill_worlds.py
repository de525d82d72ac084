"""Random worlds in which our orders rest: what a fill model makes of the public data, and what really happens.

Others place, cancel, reduce and take at random; their commands do not depend on ours. The public data is that of an
exchange without our orders; trades are told before their level changes, or up to some commands after them, in one
piece or for each maker, on either outcome or on both, some without their side or time; now and then a snapshot replaces
what was not told yet, or a gap of some commands tears the data.
"""

import random
from collections.abc import Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from predsurv.core.events import Gap, Trade
from predsurv.core.orders import TimeInForce
from predsurv.engine.fills.queue_position import QueueModel
from tests.kit.price_time_exchange import BookSide, Execution
from tests.kit.trading_samples import YES
from tests.kit.twin_exchanges import Difference, OwnOrder, TwinExchanges, mirrored

_MS: Final = 1_000_000
_TAKES: Final[tuple[TimeInForce, ...]] = ("ioc", "gtc", "fok")


class WorldShape(NamedTuple):
    """What a world has, drawn by its seed. ``lag``: commands by which trades are told late; -1: before the change.

    ``step``: time between two commands (ns); the most of a lag is less than late trades are waited for.
    """

    commands: int
    lag: int
    step: int
    one_print: bool
    both_sides: bool
    takes: bool
    crossing: bool
    snapshots: bool
    gaps: bool
    echoes: bool
    sideless: bool
    venue_times: bool


def _shape(rng: random.Random) -> WorldShape:
    draw = rng.random
    lag = rng.choice((-1, 0, 0, 1, 2, 4))
    return WorldShape(
        commands=rng.randrange(15, 60),
        lag=lag,
        step=rng.choice((100, 100, 400, 1_200)) * _MS,
        one_print=draw() < 0.5,
        both_sides=draw() < 0.5,
        takes=draw() < 0.3,
        crossing=draw() < 0.5,
        snapshots=draw() < 0.4,
        gaps=draw() < 0.2,
        echoes=draw() < 0.15,
        sideless=draw() < 0.1,
        venue_times=lag > 0 or draw() < 0.8,  # one without its time that is told late says nothing of when it was
    )


class FillWorld:
    """One random world, played by ``play``; sizes in shares, prices in cents of the first outcome."""

    def __init__(self, seed: int, queue: QueueModel) -> None:
        self._rng = random.Random(seed)
        self.shape = _shape(self._rng)
        self.twins = TwinExchanges(queue, one_print=self.shape.one_print)
        self._late: list[tuple[int, Trade]] = []
        self._torn_until = 0

    @property
    def log(self) -> list[str]:
        """What happened, line by line."""
        return self.twins.log

    def play(self) -> list[Difference]:
        """Run the world and return what it says of each of our orders."""
        opening: tuple[tuple[BookSide, tuple[int, ...]], ...] = (("bid", (49, 48, 47)), ("ask", (51, 52, 53)))
        self.twins.open_with(*((side, price, self._size()) for side, prices in opening for price in prices))
        for number in range(self.shape.commands):
            self.twins.now += self.shape.step
            if self._torn_until == number > 0:
                self.twins.tell(self.twins.snapshot())
            self._command(number)
            self._tell_late(number)
        self._tell_late(1 << 30)
        return self.twins.differences()

    def _command(self, number: int) -> None:
        draw = self._rng.random()
        if draw < 0.22:
            self._place_own()
        elif draw < 0.27:
            self._cancel_own()
        elif draw < 0.5:
            self._place_other(number)
        elif draw < 0.62:
            self._cancel_other(number)
        elif draw < 0.96 or not (self.shape.snapshots or self.shape.gaps):
            self._take(number)
        elif self.shape.gaps and self._rng.random() < 0.5:
            self._tear(number)
        elif self.shape.snapshots and number >= self._torn_until:
            self._take(number, told=False)
            self.twins.tell(self.twins.snapshot())

    def _tear(self, number: int) -> None:
        """Begin a gap of some commands; what happens in it is not told, trades included."""
        if number >= self._torn_until:
            self.twins.tell(Gap(YES, self.twins.now, "disconnect", 1))
            self._torn_until = number + self._rng.randrange(1, 4)
        self._take(number)

    def _size(self) -> int:
        return self._rng.choice((1, 2, 3, 5, 8, 10, 13, 20))

    def _between(self, low: int, high: int) -> int:
        return self._rng.randint(min(low, high), max(low, high))

    def _side(self) -> BookSide:
        return "bid" if self._rng.random() < 0.5 else "ask"

    def _place_own(self) -> None:
        side: BookSide = self._side() if self.shape.both_sides else "bid"
        takes = self.shape.takes and self._rng.random() < 0.3
        opposite = self.twins.public.best("ask" if side == "bid" else "bid")
        if takes:
            price = self._rng.randrange(47, 54)
        elif side == "bid":
            price = self._between(45, 50 if opposite is None else min(opposite - 1, 53))
        else:
            price = self._between(50 if opposite is None else max(opposite + 1, 47), 55)
        name, tif = f"own{len(self.twins.own)}", self._rng.choice(_TAKES) if takes else "gtc"
        post_only = not takes and self._rng.random() < 0.7
        order = OwnOrder(name, side, price, self._size(), tif, post_only, mirrored=self._rng.random() < 0.3)
        if not any(_meet(order, each) for each in self.twins.own if self.twins.may_rest(each)):
            self.twins.send(order)  # no venue lets an account trade with itself

    def _cancel_own(self) -> None:
        if self.twins.own:
            self.twins.cancel(self._rng.choice(self.twins.own).name)

    def _place_other(self, number: int) -> None:
        side, public = self._side(), self.twins.public
        opposite = public.best("ask" if side == "bid" else "bid")
        if self.shape.crossing and self._rng.random() < 0.3:
            self._happened(self.twins.others(side, self._rng.randrange(46, 55), self._size()), number)
            return
        if side == "bid":
            price = self._between(45, 51 if opposite is None else min(opposite - 1, 53))
        else:
            price = self._between(49 if opposite is None else max(opposite + 1, 47), 55)
        if not public.crosses(side, price):
            self._happened(self.twins.others(side, price, self._size()), number)

    def _cancel_other(self, number: int) -> None:
        names = self.twins.public.names()
        if names:
            name = self._rng.choice(names)
            if self._rng.random() < 0.3:
                self.twins.reduce_others(name, self._size())
            else:
                self.twins.cancel_others(name)
            self._happened([], number)

    def _take(self, number: int, *, told: bool = True) -> None:
        side, size = self._side(), self._size() * self._rng.choice((1, 1, 2, 3))
        price = self._rng.choice((44, 47, 48, 49, 50)) if side == "ask" else self._rng.choice((56, 53, 52, 51, 50))
        self._happened(self.twins.others(side, price, size, rests=False), number, told=told)

    def _happened(self, executions: Sequence[Execution], number: int, *, told: bool = True) -> None:
        """Tell what others did, now or later; in a gap nothing of it."""
        if number < self._torn_until:
            return
        for trade in self.twins.prints(executions):
            tellings = self._tellings(trade)
            if self.shape.lag < 0:
                for each in tellings:
                    self.twins.tell(each)
                continue
            earliest = self._late[-1][0] if self._late else 0  # late, and in order
            at = max(number + self._rng.randrange(self.shape.lag + 1), earliest)
            self._late += [(at, each) for each in tellings]
        if told:
            self.twins.tell_changes()

    def _tellings(self, trade: Trade) -> list[Trade]:
        """Return how a trade is told: on which outcome, or on both; with its side and time or without."""
        shape, draw = self.shape, self._rng.random
        if shape.sideless and draw() < 0.3:
            trade = replace(trade, taker_side=None)
        if not shape.venue_times:
            trade = replace(trade, ts_venue=None)
        if shape.echoes:
            trade = replace(trade, trade_id=None)
            return [mirrored(trade), trade] if draw() < 0.5 else [trade, mirrored(trade)]
        return [mirrored(trade) if draw() < 0.3 else trade]

    def _tell_late(self, number: int) -> None:
        due = [trade for at, trade in self._late if at <= number]
        self._late = [(at, trade) for at, trade in self._late if at > number]
        for each in due:
            self.twins.tell(each)


def _meet(order: OwnOrder, resting: OwnOrder) -> bool:
    """Return whether an order of ours would trade with one of ours that rests."""
    if resting.side == order.side:
        return False
    return resting.price <= order.price if order.side == "bid" else resting.price >= order.price
