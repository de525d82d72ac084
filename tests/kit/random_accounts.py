"""Random trading against a made-up venue that answers late, twice, out of order or not at all.

Two strategies without sense, two venues, four markets; what must hold of the account is checked after every event.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random
from typing import Final

from predsurv.core.events import (
    AccountEvent,
    BookSnapshot,
    Event,
    Fill,
    FillConfirmed,
    FillFailed,
    MarketResolved,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    OrderUnknown,
    RebatePaid,
    Tick,
)
from predsurv.core.fees import maker_fee, taker_fee
from predsurv.core.ids import ClientOrderId, InstrumentKey, OrderId, OrderSide, StrategyName, TradeId, VenueName
from predsurv.core.market import Market
from predsurv.core.num import MICROS, Money, Price, Size
from predsurv.core.orders import CancelIntent, Intent, PlaceOrder, TimeInForce
from predsurv.engine.account.account import TradingAccount
from predsurv.engine.account.valuation import DAY
from predsurv.engine.engine import Engine
from predsurv.engine.interest import EVERYTHING
from predsurv.engine.risk.checks import RiskLimits
from predsurv.engine.risk.state import MINUTE
from predsurv.engine.step import Step
from predsurv.state.market_cache import MarketCache
from predsurv.state.view import View
from predsurv.trade.journal import (
    AccountUpdated,
    CommandSent,
    EngineNoted,
    Entry,
    MarketSettled,
    RebateBooked,
    RunStarted,
    restore,
)
from tests.kit.trading_samples import START, V, cents, levels, market, shares

OTHER: Final = VenueName("other")
CASH: Final = Money(400 * MICROS)
LIMITS: Final = RiskLimits(
    max_order_notional=Money(60 * MICROS),
    max_position_notional=Money(60 * MICROS),
    max_total_exposure=Money(150 * MICROS),
    max_open_orders=8,
    max_orders_per_minute=40,
    max_daily_loss=Money(90 * MICROS),
    price_collar=Price(300_000),
    max_data_age=3_600 * 1_000_000_000,
)
_SIDES: Final[Sequence[OrderSide]] = ("buy", "buy", "sell")
_TIFS: Final[Sequence[TimeInForce]] = ("gtc", "gtc", "ioc", "fok")
STEP_MAX: Final = 4_000_000_000
KILLED_SHARE: Final = 0.05
"""Of the events, after as many of which it is looked what a killed run would go on with."""
ROUNDING: Final = 1_000
"""Micros by which rounding up the cost of each of an order's fills may exceed the cost of the whole."""


class Restless:
    """Wants something at random, whatever happens."""

    signals = frozenset({"any"})
    interest = EVERYTHING

    def __init__(self, name: str, rng: Random, keys: Sequence[InstrumentKey]) -> None:
        self.name, self._rng, self._keys = StrategyName(name), rng, keys

    def on_event(self, event: Event, view: View) -> Iterator[Intent | CancelIntent]:
        """Yield up to two intents: entries, sales of what is held, cancels, baskets of two."""
        rng = self._rng
        for _ in range(rng.choice((0, 0, 1, 2))):
            orders = view.open_orders(self.name)
            if orders and rng.random() < 0.3:
                yield CancelIntent(self.name, rng.choice(orders).client_order_id, "any")
                continue
            key, side = rng.choice(self._keys), rng.choice(_SIDES)
            size = shares(rng.randint(500, 9_000) / 100)
            position = view.position(key)
            if side == "sell" and position is not None:
                size = Size(min(size, position.size))
            group = rng.choice((None, None, f"{self.name}-{view.now}"))
            tif = rng.choice(_TIFS)
            yield Intent(self.name, key, side, cents(rng.randint(20, 80)), size, tif, "any", group=group)


class CarelessVenue:
    """Holds orders, and says what became of them at its own pace; ``said`` is everything it ever said.

    ``fills_first``: the end of a purchase is said after all its fills. Where it is not, nobody can count the fills that
    are still to come towards a limit. That of a sale always is: a venue lets nobody sell the same shares twice.
    ``failing``: fills are matched first; some fail later, and with a purchase every sale of the same shares that was
    matched after it and is not final. Fills and failures of one instrument are said in the order in which they were.
    """

    def __init__(self, rng: Random, markets: Sequence[Market], *, fills_first: bool, failing: bool) -> None:
        self._rng, self._fills_first, self._failing = rng, fills_first, failing
        self._open: list[tuple[StrategyName, Fill]] = []
        self._held = Counter[tuple[StrategyName, InstrumentKey]]()
        self._markets = {(each.venue, each.market_id): each for each in markets}
        self._resting: dict[ClientOrderId, tuple[PlaceOrder, int]] = {}
        self._numbers: dict[ClientOrderId, int] = {}
        self._waiting: list[AccountEvent] = []
        self.said: list[AccountEvent] = []

    def take(self, step: Step, now: int) -> None:
        """Receive the commands of a step; some never arrive."""
        for command in (each.command for each in step.commands):
            if isinstance(command, PlaceOrder):
                self._place(command, now)
            else:
                resting = self._resting.pop(command.client_order_id, None)
                if resting is not None:
                    self._waiting.append(OrderCancelled(command.key, now, command.client_order_id, "requested"))

    def events(self, now: int, *, all_of_them: bool = False) -> Iterator[AccountEvent]:
        """Yield some of what is to be said, in any order, sometimes twice."""
        rng = self._rng
        for name in tuple(self._resting):
            if rng.random() < 0.2:
                self._fill(name, now)
        while self._open and (all_of_them or rng.random() < 0.5):
            self._end(now)
        count = len(self._waiting) if all_of_them else rng.randint(0, len(self._waiting))
        for _ in range(count):
            at = rng.randrange(len(self._waiting))
            if self._is_early(at):
                continue
            event = self._waiting.pop(at)
            self.said.append(event)
            yield event
            if rng.random() < 0.1:
                yield rng.choice(self.said)

    def _is_early(self, at: int) -> bool:
        event = self._waiting[at]
        if isinstance(event, Fill):  # it may sell what was bought, or brought back by a failure, just before
            before = self._waiting[:at] if self._failing else ()
            return any(isinstance(each, Fill | FillFailed) and each.key == event.key for each in before)
        if isinstance(event, FillConfirmed | FillFailed):
            return any(isinstance(each, Fill) and each.key == event.key for each in self._waiting[:at])
        fills = (each for each in self._waiting if isinstance(each, Fill))
        of_order = (each for each in fills if each.client_order_id == event.client_order_id)
        return isinstance(event, OrderCancelled) and any(self._fills_first or each.side == "sell" for each in of_order)

    def _end(self, now: int) -> None:
        """Decide what becomes of the first fill that is open."""
        strategy, fill = self._open.pop(0)
        if self._rng.random() > 0.2:
            self._waiting.append(FillConfirmed(fill.key, now, fill.client_order_id, fill.trade_id))
            return
        sold = [
            (name, each)
            for name, each in self._open
            if fill.side == "buy" and (name, each.key, each.side) == (strategy, fill.key, "sell")
        ]
        self._open = [each for each in self._open if each not in sold]
        for _, each in [(strategy, fill), *sold]:
            self._held[strategy, each.key] -= each.size if each.side == "buy" else -each.size
            self._waiting.append(FillFailed(each.key, now, each.client_order_id, each.trade_id, "reverted"))

    def close(self, key: tuple[VenueName, str]) -> None:
        """Let nothing of a market trade any more."""
        for name, (command, _) in tuple(self._resting.items()):
            if (command.key.venue, command.key.market_id) == key:
                del self._resting[name]
                self._waiting.append(OrderCancelled(command.key, START, name, "market_closed"))

    def _place(self, command: PlaceOrder, now: int) -> None:
        rng, name = self._rng, command.client_order_id
        fate = rng.random()
        if fate < 0.1:
            self._waiting.append(OrderRejected(command.key, now, name, "no"))
            return
        if fate < 0.25:  # nobody knows, until it is known
            self._waiting.append(OrderUnknown(command.key, now, name, "timed out"))
            if fate < 0.15:
                self._waiting.append(OrderCancelled(command.key, now, name, "never arrived"))
                return
        self._waiting.append(OrderAccepted(command.key, now, name, OrderId(f"v-{name}")))
        self._resting[name] = (command, command.size)
        for _ in range(rng.choice((0, 0, 1, 3))):
            self._fill(name, now)
        if command.tif != "gtc" and self._resting.pop(name, None) is not None:
            self._waiting.append(OrderCancelled(command.key, now, name, command.tif))

    def _fill(self, name: ClientOrderId, now: int) -> None:
        """Fill an order, or a part of it, at its price or a better one."""
        rng = self._rng
        if name not in self._resting:
            return
        command, left = self._resting[name]
        size = Size(left if rng.random() < 0.4 else rng.randint(1, left))
        holding = (command.strategy, command.key)
        if command.side == "sell":  # nobody sells what has failed since the order was placed
            size = Size(min(size, self._held[holding]))
            if not size:
                return
        self._held[holding] += size if command.side == "buy" else -size
        better = rng.randint(0, 150_000) if rng.random() < 0.5 else 0
        price = Price(max(1, command.price - better) if command.side == "buy" else command.price + better)
        maker = rng.random() < 0.5
        fee = (maker_fee if maker else taker_fee)(
            self._markets[command.key.venue, command.key.market_id].fee, price, size, command.side
        )
        number = self._numbers[name] = self._numbers.get(name, 0) + 1
        trade = TradeId(f"{name}.{number}")
        fill = Fill(
            command.key, now, None, name, trade, command.side, price, size, fee, maker, unconfirmed=self._failing
        )  # fmt: skip
        self._waiting.append(fill)
        if self._failing:
            self._open.append((command.strategy, fill))
        if size == left:
            del self._resting[name]
        else:
            self._resting[name] = (command, left - size)


class RandomAccount:
    """One run; ``journal`` is what a restart would have."""

    def __init__(self, seed: int) -> None:
        self._rng = rng = Random(seed)
        self.markets = [market(f"{venue}{each}", venue=venue) for venue in (V, OTHER) for each in range(2)]
        keys = [key for each in self.markets for key in each.keys()]  # noqa: SIM118 - not a mapping
        cache = MarketCache({V})
        for each in self.markets:
            cache.add(each)
        self.engine = Engine(
            run="run",
            limits=LIMITS,
            strategies=[Restless(name, rng, keys) for name in ("one", "two")],
            cache=cache,
            account=TradingAccount({V: CASH, OTHER: CASH}),
        )
        self.is_orderly = seed % 2 == 0
        self.is_failing = seed % 3 == 0
        self.venue = CarelessVenue(rng, self.markets, fills_first=self.is_orderly, failing=self.is_failing)
        self.journal: list[Entry] = [RunStarted(START, "paper", "run", (), ((V, CASH), (OTHER, CASH)))]
        self.now, self.sent, self.kills = START, list[int](), 0
        self._open = list(self.markets)

    def run(self, steps: int) -> None:
        """Let ``steps`` things happen, and in the end everything that was still to be said."""
        for _ in range(steps):
            self.now += self._rng.randint(0, STEP_MAX)
            self._take(self._drawn())
            for event in self.venue.events(self.now):
                self._take(event)
            self._order()
        self._carry_out(Tick(self.now), self.engine.control.shut_down(self.now))
        while self.venue._waiting or self.venue._open:
            for event in self.venue.events(self.now, all_of_them=True):
                self._take(event)

    def _drawn(self) -> Event:
        rng = self._rng
        if rng.random() < 0.2:
            return Tick(self.now)
        if self.is_failing and rng.random() < 0.05:
            at, amount = rng.choice(self.markets), Money(rng.randint(1, 50_000))
            return RebatePaid(at.venue, at.market_id, self.now, StrategyName("one"), self.now // DAY * DAY, amount)
        if self._open and rng.random() < 0.02:
            return self._resolved(self._open.pop(rng.randrange(len(self._open))))
        listed = rng.choice(self.markets)
        key = rng.choice(listed.keys()) if listed.venue == OTHER else listed.key(0)
        bid = rng.randint(25, 70)
        asks = levels((bid + rng.randint(1, 9), rng.randint(1, 300)))
        return BookSnapshot(key, self.now, None, 1, None, levels((bid, rng.randint(1, 300))), asks)

    def _resolved(self, ended: Market) -> MarketResolved:
        self.venue.close((ended.venue, ended.market_id))
        yes = Price(self._rng.choice((0, MICROS, MICROS // 2, 370_000)))
        payouts = ((ended.key(0).instrument_id, yes), (ended.key(1).instrument_id, Price(MICROS - yes)))
        return MarketResolved(ended.venue, ended.market_id, self.now, None, payouts)

    def _order(self) -> None:
        """Sometimes halt, limit or resume trading."""
        drawn = self._rng.random()
        order = self.engine.control.halt if drawn < 0.01 else self.engine.control.reduce if drawn < 0.03 else None
        if order is not None:
            self._carry_out(Tick(self.now), order(self.now, "at random"))
        elif drawn < 0.2:
            self._carry_out(Tick(self.now), self.engine.control.resume(self.now))

    def _take(self, event: Event) -> None:
        self._carry_out(event, self.engine.step(event))
        self.check()
        if self._rng.random() < KILLED_SHARE:
            assert told(restore(self.journal).account) == told(self.engine.account)
            self.kills += 1

    def _carry_out(self, event: Event, step: Step) -> None:
        """Journal and send as a run does: nothing leaves before it is written down."""
        if step.booked:
            if isinstance(event, MarketResolved):
                self.journal.append(MarketSettled(event))
            elif isinstance(event, RebatePaid):
                self.journal.append(RebateBooked(event))
            else:
                self.journal.append(AccountUpdated(event))  # type: ignore[arg-type]
        self.journal += [EngineNoted(note) for note in step.notes]
        self.journal += [CommandSent(decision) for decision in step.decisions]
        placed = [each.command for each in step.commands if isinstance(each.command, PlaceOrder)]
        self.sent += [self.now] * len(placed)
        self._check_sent(placed)
        self.venue.take(step, self.now)

    def _check_sent(self, placed: Sequence[PlaceOrder]) -> None:
        engine = self.engine
        if not placed:
            return
        assert engine.control.trading != "halted"
        assert engine.control.trading == "active" or all(each.side == "sell" for each in placed)
        sales = sum(each.side == "sell" for each in placed)
        if sales == len(placed):
            return  # a way out is never refused for the number of orders
        assert sum(at > self.now - MINUTE for at in self.sent) - sales <= LIMITS.max_orders_per_minute
        assert engine.account.orders.live_count() - sales <= LIMITS.max_open_orders
        if self.is_orderly:
            assert engine.exposure() <= LIMITS.max_total_exposure + ROUNDING

    def halts(self) -> list[EngineNoted]:
        """Return what was noted when trading was halted."""
        return [each for each in self.journal if isinstance(each, EngineNoted) and each.note.kind == "halted"]

    def check(self) -> None:
        """Assert what holds at any time."""
        portfolio, exposure = self.engine.account.portfolio, self.engine.exposure
        cash = sum(portfolio.cash(venue) for venue in (V, OTHER))
        cost = sum(position.cost for position in portfolio.positions.totals())
        pnl = portfolio.pnl.values()
        assert cash + cost + sum(each.fees - each.realised - each.rebates for each in pnl) == 2 * CASH
        if not self.is_orderly or self.is_failing:
            return  # shares whose sale has failed are held again, whatever was bought meanwhile
        assert all(portfolio.cash(venue) >= 0 for venue in (V, OTHER))
        for each in self.markets:
            for key in each.keys():  # noqa: SIM118
                assert exposure(key) <= LIMITS.max_position_notional + ROUNDING


def told(account: TradingAccount) -> tuple[object, ...]:
    """Return everything that two accounts are compared by."""
    portfolio = account.portfolio
    return (
        [portfolio.cash(venue) for venue in (V, OTHER)],
        {(name, position.key): position for name, position in portfolio.positions.all()},
        {name: (each.realised, each.fees, each.rebates) for name, each in portfolio.pnl.items()},
        account.orders.live(),
        list(portfolio.unconfirmed.all()),
        account.placed,
    )


def shuffled(account: RandomAccount, rng: Random) -> tuple[object, ...]:
    """Return the figures after everything that was said, twice and in another order: failures, then purchases first."""
    again = TradingAccount({V: CASH, OTHER: CASH})
    for entry in account.journal:
        if isinstance(entry, CommandSent) and isinstance(entry.decision.approved.command, PlaceOrder):
            again.place(entry.decision.approved.command, entry.decision.approved.ts)
    events = list(account.venue.said) * 2
    rng.shuffle(events)
    for event in sorted(events, key=_turn):
        again.apply(event)
    for entry in account.journal:
        if isinstance(entry, MarketSettled):
            again.settle(entry.event)
    return figures(again, account)


def figures(account: TradingAccount, of: RandomAccount) -> tuple[object, ...]:
    """Return shares, what became of orders, and fees: what does not depend on the order of anything."""
    sizes = sorted((name, position.key, position.size) for name, position in account.portfolio.positions.all())
    orders = {each: account.orders.get(each) for each in of.venue._numbers}
    return (
        sizes,
        {name: None if order is None else order.filled - order.failed for name, order in orders.items()},
        sum(each.fees for each in account.portfolio.pnl.values()),
    )


def _turn(event: AccountEvent) -> int:
    """Return when an event is told again; of what has failed nothing was sold."""
    if isinstance(event, Fill):
        return 2 if event.side == "sell" else 1
    return 0 if isinstance(event, FillFailed) else 3
