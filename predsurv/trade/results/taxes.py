"""What a journal says for a tax return: every purchase, and every disposal with the lots that it disposed of, FIFO.

Lots are the account's: the oldest shares of an instrument are sold first, whichever strategy bought them. All money is
the account's own arithmetic (``InstrumentHolding``), divided among lots without a remainder, so that the totals are the
account's to the micro-dollar: ``TaxTotals`` says how they hang together.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

from msgspec import Struct

from predsurv.core.errors import BrokenInvariant
from predsurv.core.events import Fill, FillFailed, MarketResolved, RebatePaid
from predsurv.core.ids import ClientOrderId, InstrumentKey, MarketId, StrategyName, TradeId, VenueName
from predsurv.core.num import notional, notional_up
from predsurv.core.orders import PlaceOrder
from predsurv.core.reconciliation import Correction, PositionCorrected
from predsurv.engine.account.portfolio import Portfolio, Settlement
from predsurv.trade.journal import (
    MOCK_MODE,
    AccountCorrected,
    AccountUpdated,
    CommandSent,
    Entry,
    MarketSettled,
    RebateBooked,
    RunStarted,
)
from predsurv.trade.results.ledger import ORDERS_KNOWN_MAX

TaxKind = Literal["buy", "sale", "settlement", "return", "rebate", "moved", "cash"]
"""``return``: the payout of a market that was declared void. ``moved``: shares that came or went by another way than a
trade, at cost, without gain. ``cash``: money that did.
"""
DISPOSALS: Final = frozenset[TaxKind]({"sale", "settlement", "return"})


class TaxRow(Struct, frozen=True, kw_only=True):
    """One row; money and ``quantity`` in micros, times in ns UTC.

    Of a purchase ``cost`` and ``fees`` are what was paid. Of a disposal, a row for each lot: ``acquired``, ``cost`` and
    ``proceeds`` without fees, ``fees`` of buying and of selling these shares, ``gain`` after them. ``instrument_id``
    is "" of a rebate, which is of a market, and both ids are of ``cash``.
    """

    kind: TaxKind
    ts: int
    venue: VenueName
    market_id: MarketId = MarketId("")
    instrument_id: str = ""
    quantity: int = 0
    acquired: int | None = None
    proceeds: int = 0
    cost: int = 0
    fees: int = 0
    gain: int | None = None
    trade_id: str = ""


class TaxTotals(Struct, frozen=True):
    """Sums that hang together: gains = realised − fees + rebates + held − held_average + held_fees + moved.

    ``gains`` are those of the rows. ``realised`` (before fees, by average cost), ``fees`` and ``rebates`` are the
    account's. ``held`` and ``held_average``: the cost of what is still held, FIFO and as the account has it;
    ``held_fees``: what was paid to buy that. ``moved``: the difference of both for shares that went by another way.
    """

    gains: int
    realised: int
    fees: int
    rebates: int
    held: int
    held_average: int
    held_fees: int
    moved: int

    def check(self) -> None:
        """Raise BrokenInvariant when they do not agree."""
        expected = (
            self.realised - self.fees + self.rebates + self.held - self.held_average + self.held_fees + self.moved
        )
        if self.gains != expected:
            raise BrokenInvariant(f"the gains of the ledger, {self.gains}, are not the account's, {expected} micros")


class _Lot(Struct):
    """Shares bought at ``ts`` that are left of one purchase, what they cost and the fee paid for them."""

    ts: int
    size: int
    cost: int
    fee: int

    def take(self, size: int) -> "_Lot":
        """Remove shares with their part of cost and fee; the last share takes the whole rest."""
        cost, fee = self.cost * size // self.size, self.fee * size // self.size
        self.size -= size
        self.cost -= cost
        self.fee -= fee
        return _Lot(self.ts, size, cost, fee)


class _Disposal(Struct, frozen=True):
    kind: TaxKind
    ts: int
    proceeds: int
    fee: int = 0
    trade_id: str = ""


class _Lots:
    """The lots of one instrument, oldest first, and what a settlement that was told has paid so far."""

    def __init__(self, key: InstrumentKey) -> None:
        self.key = key
        self.open: deque[_Lot] = deque()
        self.settled: _Disposal | None = None

    def row(self, kind: TaxKind, ts: int, **values: Any) -> TaxRow:
        """Return a row of this instrument."""
        key = self.key
        return TaxRow(
            kind=kind, ts=ts, venue=key.venue, market_id=key.market_id, instrument_id=key.instrument_id, **values
        )

    def buy(self, ts: int, fill: Fill) -> TaxRow:
        """Add a lot."""
        cost = notional_up(fill.price, fill.size)
        self.open.append(_Lot(ts, fill.size, cost, fill.fee))
        return self.row("buy", ts, quantity=fill.size, cost=cost, fees=fill.fee, trade_id=fill.trade_id)

    def take(self, size: int) -> Iterator[_Lot]:
        """Remove the oldest shares, lot by lot; raises BrokenInvariant when there are not as many."""
        while size:
            if not self.open:
                raise BrokenInvariant(f"{size} shares of {self.key} were disposed of and never bought")
            part = min(size, self.open[0].size)
            yield self.open[0].take(part)
            if not self.open[0].size:
                self.open.popleft()
            size -= part

    def dispose(self, size: int, by: _Disposal) -> Iterator[TaxRow]:
        """Remove the oldest shares and yield a row for each lot; proceeds and fee are divided without a remainder."""
        done = 0
        for lot in self.take(size):
            proceeds, fee = (
                total * (done + lot.size) // size - total * done // size for total in (by.proceeds, by.fee)
            )
            done += lot.size
            yield self.row(
                by.kind,
                max(by.ts, lot.ts),
                quantity=lot.size,
                acquired=lot.ts,
                proceeds=proceeds,
                cost=lot.cost,
                fees=fee + lot.fee,
                gain=proceeds - lot.cost - fee - lot.fee,
                trade_id=by.trade_id,
            )

    def settle(self) -> Iterator[TaxRow]:
        """Dispose of what is left, if the market has settled, and begin anew."""
        by, self.settled = self.settled, None
        if by is not None:
            yield from self.dispose(sum(lot.size for lot in self.open), by)


class _AllLots:
    """The lots of all instruments, and how their markets ended."""

    def __init__(self) -> None:
        self._lots: dict[InstrumentKey, _Lots] = {}
        self._ends: dict[tuple[VenueName, MarketId], _Disposal] = {}

    def of(self, key: InstrumentKey) -> _Lots:
        """Return the lots of an instrument."""
        return self._lots.setdefault(key, _Lots(key))

    def open(self) -> Iterator[_Lot]:
        """Yield what is left."""
        return (lot for each in self._lots.values() for lot in each.open)

    def end(self, event: MarketResolved) -> None:
        """Note that a market settled; as of payouts, the first statement counts."""
        told = event.ts_recv if event.ts_venue is None else event.ts_venue
        self._ends.setdefault(
            (event.venue, event.market_id), _Disposal("return" if event.void else "settlement", told, 0)
        )

    def pay(self, paid: Iterable[Settlement]) -> None:
        """Note what was paid out."""
        for each in paid:
            self.add(each.key, each.paid)

    def add(self, key: InstrumentKey, amount: int) -> None:
        """Note that a settled market paid ``amount`` more (less) for an instrument."""
        lots = self.of(key)
        by = lots.settled or self._ends[key.venue, key.market_id]
        lots.settled = _Disposal(by.kind, by.ts, by.proceeds + amount)

    def settle(self) -> Iterator[TaxRow]:
        """Dispose of everything that was paid out; the same markets may be traded again afterwards."""
        for lots in self._lots.values():
            yield from lots.settle()
        self._ends.clear()


class TaxLedger:
    """Folds a journal's entries into ``rows``, in the order of the journal, settlements last; call ``finish`` then.

    ``failed``: fills that never came about, which count for nothing. Shares that were paid out while fills of them
    were still to be told are disposed of when everything is told.
    """

    def __init__(self, failed: Iterable[tuple[InstrumentKey, TradeId]] = ()) -> None:
        self.rows: list[TaxRow] = []
        self._failed = frozenset(failed)
        self._portfolio = Portfolio({})
        self._strategies: dict[ClientOrderId, StrategyName] = {}
        self._lots = _AllLots()
        self._rebates = self._moved = 0

    def apply(self, entry: Entry) -> None:
        """Fold one entry in."""
        match entry:
            case RunStarted():
                self._start(entry)
            case CommandSent():
                self._send(entry)
            case AccountUpdated():
                self._answer(entry)
            case MarketSettled():
                self._settle(entry.event)
            case RebateBooked():
                self._rebate(entry.event)
            case AccountCorrected():
                self._correct(entry.event)
            case _:
                pass

    def finish(self) -> TaxTotals:
        """Dispose of what was paid out; return totals that agree. Raises BrokenInvariant when they do not."""
        self.rows += self._lots.settle()
        open_lots = list(self._lots.open())
        pnl = self._portfolio.pnl.values()
        totals = TaxTotals(
            gains=sum(row.gain or 0 for row in self.rows),
            realised=sum(each.realised for each in pnl),
            fees=sum(each.fees for each in pnl),
            rebates=self._rebates,
            held=sum(lot.cost for lot in open_lots),
            held_average=sum(position.cost for _, position in self._portfolio.positions.all()),
            held_fees=sum(lot.fee for lot in open_lots),
            moved=self._moved,
        )
        totals.check()
        return totals

    def _start(self, entry: RunStarted) -> None:
        if entry.mode == MOCK_MODE:  # the same markets are traded again, as the account has it
            self.rows += self._lots.settle()
            self._portfolio.forget_payouts()
        for venue, cash in entry.cash:
            self._portfolio.fund(venue, cash)

    def _send(self, entry: CommandSent) -> None:
        command = entry.decision.approved.command
        if isinstance(command, PlaceOrder):
            self._strategies[command.client_order_id] = command.strategy
            self._portfolio.followed.add((command.key.venue, command.key.market_id))  # as the account does
            if len(self._strategies) > ORDERS_KNOWN_MAX:
                del self._strategies[next(iter(self._strategies))]

    def _answer(self, entry: AccountUpdated) -> None:
        event = entry.event
        strategy = self._strategies.get(event.client_order_id)
        if isinstance(event, Fill) and strategy is not None and (event.key, event.trade_id) not in self._failed:
            self._fill(strategy, event)

    def _rebate(self, event: RebatePaid) -> None:
        self._portfolio.credit(event)
        self._rebates += event.amount
        told: dict[str, Any] = {
            "venue": event.venue,
            "market_id": event.market_id,
            "proceeds": event.amount,
            "gain": event.amount,
        }
        self.rows.append(TaxRow(kind="rebate", ts=event.ts_recv, **told))

    def _fill(self, strategy: StrategyName, fill: Fill) -> None:
        lots, venue = self._lots.of(fill.key), fill.key.venue
        ts = fill.ts_recv if fill.ts_venue is None else fill.ts_venue
        before = self._portfolio.cash(venue)
        paid = self._portfolio.fill(strategy, fill)
        moved = self._portfolio.cash(venue) - before - sum(each.paid for each in paid)
        if fill.side == "buy":
            self.rows.append(lots.buy(ts, fill))
        else:
            proceeds = notional(fill.price, fill.size)
            self.rows += lots.dispose(fill.size, _Disposal("sale", ts, proceeds, fill.fee, fill.trade_id))
            taken_back = proceeds - fill.fee - moved  # what a payout had paid for shares that were sold before it
            if taken_back:
                self._lots.add(fill.key, -taken_back)
        self._lots.pay(paid)

    def _settle(self, event: MarketResolved) -> None:
        self._lots.end(event)
        self._lots.pay(self._portfolio.settle(event))

    def _correct(self, event: Correction) -> None:
        if not isinstance(event, PositionCorrected):
            amount = self._portfolio.credit(event)
            self.rows.append(TaxRow(kind="cash", ts=event.ts_recv, venue=event.venue, proceeds=amount))
            return
        held = self._portfolio.positions.get(event.strategy, event.key)
        size, cost = (0, 0) if held is None else (held.size, held.cost)
        self._portfolio.credit(event)
        lots, added = self._lots.of(event.key), event.size - size
        change = (event.cost if event.size else 0) - cost
        if added > 0:
            lots.open.append(_Lot(event.ts_recv, added, change, 0))
            self.rows.append(lots.row("moved", event.ts_recv, quantity=added, cost=change))
            return
        gone = list(lots.take(-added))
        for lot in gone:
            self.rows.append(
                lots.row("moved", event.ts_recv, quantity=-lot.size, acquired=lot.ts, cost=-lot.cost, fees=-lot.fee)
            )
        self._moved += sum(lot.cost + lot.fee for lot in gone) + change


def tax_ledger(entries: Iterable[Entry]) -> tuple[list[TaxRow], TaxTotals]:
    """Return the rows of a journal, in the order of their dates, and the totals; raises BrokenInvariant."""
    told = tuple(entries)
    ends = (entry.event for entry in told if isinstance(entry, AccountUpdated))
    ledger = TaxLedger((event.key, event.trade_id) for event in ends if isinstance(event, FillFailed))
    for entry in told:
        ledger.apply(entry)
    totals = ledger.finish()
    return sorted(ledger.rows, key=lambda row: row.ts), totals
