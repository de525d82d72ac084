"""Fills that were only matched, and what followed them: enough to go on as if one of them had never been.

Of each holding with such fills it keeps how it stood before the first of them, and everything since. A fill that fails
is left out when that is done again, so that no trace of it is left, in average costs neither.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from msgspec import Struct

from predsurv.core.events import Fill
from predsurv.core.ids import InstrumentKey, StrategyName, TradeId, VenueName
from predsurv.core.num import Price
from predsurv.engine.account.holding import InstrumentHolding

UNCONFIRMED_MAX: Final = 10_000
"""Fills and payouts kept of one holding; beyond it the oldest counts as confirmed."""


class Owner(NamedTuple):
    """Whose holding it is, and of what."""

    strategy: StrategyName
    key: InstrumentKey


class OpenFill(NamedTuple):
    """A fill that may still fail, and whose it is."""

    owner: Owner
    fill: Fill


class _History(Struct):
    """``base``: the holding before the first of ``done``, of whose fills those in ``open`` are not confirmed."""

    base: InstrumentHolding
    done: list[Fill | Price]
    open: set[TradeId]


class UnconfirmedFills:
    """The holdings with fills that may still fail; all others are not known here."""

    def __init__(self) -> None:
        self._kept: dict[Owner, _History] = {}
        self._owners: dict[tuple[InstrumentKey, TradeId], Owner] = {}

    def on_fill(self, owner: Owner, before: InstrumentHolding, fill: Fill) -> None:
        """Take note of a fill of a holding that stood as ``before``."""
        kept = self._kept.get(owner)
        if kept is None:
            if not fill.unconfirmed:
                return
            kept = self._kept[owner] = _History(before, [], set())
        kept.done.append(fill)
        if fill.unconfirmed:
            kept.open.add(fill.trade_id)
            self._owners[fill.key, fill.trade_id] = owner
        if len(kept.done) > UNCONFIRMED_MAX:
            self._close(kept, kept.done[0])
            self._shorten(owner, kept)

    def on_payout(self, key: InstrumentKey, price: Price) -> None:
        """Take note that whatever is held of an instrument was paid out."""
        for owner, kept in self._kept.items():
            if owner.key == key:
                kept.done.append(price)

    def find(self, key: InstrumentKey, trade_id: TradeId) -> OpenFill | None:
        """Return a fill that may still fail, None where there is no such fill."""
        owner = self._owners.get((key, trade_id))
        fill = None if owner is None else next(_fills(self._kept[owner].done, trade_id), None)
        return None if owner is None or fill is None else OpenFill(owner, fill)

    def all(self) -> Iterator[tuple[StrategyName, Fill]]:
        """Yield every fill that may still fail, holding by holding in the order in which it was told."""
        for owner, kept in self._kept.items():
            for done in kept.done:
                if isinstance(done, Fill) and done.trade_id in kept.open:
                    yield owner.strategy, done

    def confirm(self, key: InstrumentKey, trade_id: TradeId) -> None:
        """Take note that a fill cannot fail any more; nothing happens where there is no such fill."""
        owner = self._owners.get((key, trade_id))
        if owner is not None:
            kept = self._kept[owner]
            for fill in _fills(kept.done, trade_id):
                self._close(kept, fill)
            self._shorten(owner, kept)

    def without(self, key: InstrumentKey, trade_id: TradeId) -> tuple[InstrumentHolding, InstrumentHolding]:
        """Return how much its holding has changed since it was first kept, and how it would have without a fill.

        Raises BrokenInvariant where shares were sold that only this fill brought: the sale has to fail first.
        """
        kept = self._kept[self._owners[key, trade_id]]
        return _after(kept.base, kept.done), _after(kept.base, _left(kept, trade_id))

    def since(self, owner: Owner) -> tuple[InstrumentHolding, Iterator[Fill | Price]]:
        """Return a copy of a holding before its first fill that may still fail, and its fills and payouts since."""
        kept = self._kept.get(owner)
        return (InstrumentHolding(), iter(())) if kept is None else (kept.base.copy(), iter(tuple(kept.done)))

    def cash_since(self, venue: VenueName) -> int:
        """Return the cash (micros) that holdings at a venue have brought since their first fill that may still fail."""
        kept = (each for owner, each in self._kept.items() if owner.key.venue == venue)
        return sum(_after(each.base, each.done).cash - each.base.cash for each in kept)

    def forget(self, key: InstrumentKey, trade_id: TradeId) -> None:
        """Leave a fill out from now on."""
        owner = self._owners[key, trade_id]
        kept = self._kept[owner]
        for fill in _fills(kept.done, trade_id):
            self._close(kept, fill)
        kept.done = _left(kept, trade_id)
        self._shorten(owner, kept)

    def _close(self, kept: _History, done: Fill | Price) -> None:
        if isinstance(done, Fill):
            kept.open.discard(done.trade_id)
            self._owners.pop((done.key, done.trade_id), None)

    def _shorten(self, owner: Owner, kept: _History) -> None:
        """Fold everything before the first fill that may still fail into the base."""
        first = next(
            (n for n, each in enumerate(kept.done) if isinstance(each, Fill) and each.trade_id in kept.open), None
        )
        if first is None:
            del self._kept[owner]
            return
        kept.base = _after(kept.base, kept.done[:first])
        del kept.done[:first]


def _fills(done: Iterable[Fill | Price], trade_id: TradeId) -> Iterator[Fill]:
    return (each for each in tuple(done) if isinstance(each, Fill) and each.trade_id == trade_id)


def _left(kept: _History, trade_id: TradeId) -> list[Fill | Price]:
    """Return what was done but for one fill: a sale that only it covered comes after what covers it by now.

    Raises BrokenInvariant where nothing does.
    """
    holding = kept.base.copy()
    found, waiting = list[Fill | Price](), list[Fill]()
    for each in kept.done:
        if isinstance(each, Fill) and each.trade_id == trade_id:
            continue
        following = [*waiting, each] if isinstance(each, Fill) and each.side == "sell" else [each, *waiting]
        waiting = []
        for done in following:
            if isinstance(done, Fill) and not holding.covers(done):
                waiting.append(done)
            else:
                _do(holding, done)
                found.append(done)
    for uncovered in waiting:
        holding.check(uncovered)
    return found


def _after(base: InstrumentHolding, done: Iterable[Fill | Price]) -> InstrumentHolding:
    holding = base.copy()
    for each in done:
        _do(holding, each)
    return holding


def _do(holding: InstrumentHolding, done: Fill | Price) -> None:
    if isinstance(done, Fill):
        holding.fill(done)
    else:
        holding.pay(done)
