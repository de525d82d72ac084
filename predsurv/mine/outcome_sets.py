"""Which claims exclude one another, so that their prices belong together: an event's markets, a market's outcomes.

From what is known of markets by time. A set of an event has all its exclusive markets that had not settled when the
day began, recorded or not: a sum without one of them is the sum of something else.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import polars as pl
from msgspec.structs import replace

from predsurv.core.ids import EventId
from predsurv.core.market import BINARY, FeeSchedule, Market
from predsurv.core.num import MICROS
from predsurv.state.market_facts import FINAL, KnownMarket, StatedFrom

_SETS: Final = {"set": pl.UInt32, "legs": pl.Int64, "exhaustive": pl.Boolean}
_SHOWN: Final = {"set": pl.UInt32, "instrument_id": pl.String}
_PAIRS: Final = {"instrument_id": pl.String, "mirror": pl.String}
_TERMS: Final = {"set": pl.UInt32, "instrument_id": pl.String, "since": pl.Int64, "until": pl.Int64, "fee": pl.UInt32}


class OutcomeSets(NamedTuple):
    """Sets of instruments of which one pays at most, exactly one where ``exhaustive``.

    ``sets``: ``set`` (its number), ``legs`` (how many instruments), ``exhaustive``. ``terms``: of each leg
    (``instrument_id``) from ``since`` to ``until`` (ns UTC), where it could be traded, the number of its ``fee`` among
    the ``schedules``. ``shown``: the set that the statistics of each instrument tell of. A set without ``sets`` row is
    one of which there is nothing to tell. ``pairs``: the two outcomes (``instrument_id``, ``mirror``) of markets whose
    first one tells of them.
    """

    sets: pl.DataFrame
    terms: pl.DataFrame
    shown: pl.DataFrame
    pairs: pl.DataFrame
    schedules: tuple[FeeSchedule, ...]


class _TradingTerms(NamedTuple):
    since: int
    until: int
    fee: FeeSchedule


class _ExclusiveOutcome(NamedTuple):
    """The first outcome of an exclusive market; ``settled`` before the day began, and then its ``payout`` if told."""

    instrument_id: str
    exhaustive: bool
    settled: bool
    payout: int | None
    terms: Sequence[_TradingTerms]


class SetFinder:
    """Collects the markets of a day from ``start`` to ``end`` (ns UTC), one at a time, and forms their sets."""

    def __init__(self, start: int, end: int) -> None:
        self._start, self._end = start, end
        self._events: dict[EventId, list[_ExclusiveOutcome | None]] = {}
        self._markets: list[tuple[tuple[str, ...], Sequence[_TradingTerms]]] = []

    def add(self, stated: Sequence[StatedFrom], *, recorded: bool) -> None:
        """Add a market by what was known of it, at the beginning and after each statement (at least one)."""
        market = stated[-1].known.market
        terms = list(_terms(stated, self._end))
        names = tuple(str(outcome.instrument_id) for outcome in market.outcomes)
        legs = self._events.setdefault(market.event_id, [])
        if market.mutually_exclusive and market.market_type == BINARY and len(names) == 2:
            first = stated[0].known
            legs.append(
                _ExclusiveOutcome(names[0], market.exhaustive, first.market.status in FINAL, _payout(first), terms)
            )
        else:
            legs.append(None)
        if recorded and market.market_type == BINARY and len(names) > 1:
            self._markets.append((names, terms))

    def sets(self) -> OutcomeSets:
        """Return the sets of what was added."""
        form = _Form()
        for event in self._events.values():
            legs = [leg for leg in event if leg is not None]
            if len(legs) > 1:
                form.add_event(legs, whole=len(legs) == len(event))
        for names, terms in self._markets:
            form.add_market(names, terms)
        return form.made()


class _Form:
    def __init__(self) -> None:
        self._sets: list[tuple[int, int, bool]] = []
        self._terms: list[tuple[int, str, int, int, int]] = []
        self._shown: dict[str, int] = {}
        self._schedules: dict[FeeSchedule, int] = {}
        self._pairs: list[tuple[str, str]] = []
        self._count = 0

    def add_event(self, legs: Sequence[_ExclusiveOutcome], *, whole: bool) -> None:
        """Add the set of an event; ``whole``: every market of it is one of the ``legs``."""
        settled = [leg.payout for leg in legs if leg.settled]
        live = [leg for leg in legs if not leg.settled]
        exhaustive = whole and all(leg.exhaustive for leg in legs) and all(payout == 0 for payout in settled)
        known = len(live) > 1 and MICROS not in settled
        self._add(live, [leg.instrument_id for leg in live], exhaustive=exhaustive, known=known)

    def add_market(self, names: Sequence[str], terms: Sequence[_TradingTerms]) -> None:
        """Add the set of a market's outcomes, for those that belong to no event's."""
        shown = [name for name in names if name not in self._shown]
        if len(names) == 2 and names[0] in shown:
            self._pairs.append((names[0], names[1]))
        if shown:
            legs = [_ExclusiveOutcome(name, exhaustive=True, settled=False, payout=None, terms=terms) for name in names]
            self._add(legs, shown, exhaustive=True, known=True)

    def made(self) -> OutcomeSets:
        return OutcomeSets(
            pl.DataFrame(self._sets, schema=_SETS, orient="row"),
            pl.DataFrame(self._terms, schema=_TERMS, orient="row"),
            pl.DataFrame([(each, name) for name, each in self._shown.items()], schema=_SHOWN, orient="row"),
            pl.DataFrame(self._pairs, schema=_PAIRS, orient="row"),
            tuple(self._schedules),
        )

    def _add(self, legs: Sequence[_ExclusiveOutcome], shown: Iterable[str], *, exhaustive: bool, known: bool) -> None:
        number = self._count
        self._count += 1
        self._shown |= dict.fromkeys(shown, number)
        if not known:
            return
        self._sets.append((number, len(legs), exhaustive))
        for leg in legs:
            for terms in leg.terms:
                fee = self._schedules.setdefault(terms.fee, len(self._schedules))
                self._terms.append((number, leg.instrument_id, terms.since, terms.until, fee))


def _terms(stated: Sequence[StatedFrom], end: int) -> Iterator[_TradingTerms]:
    """Yield from when to when the market could be traded at which fee."""
    pending: _TradingTerms | None = None
    for number, (since, known) in enumerate(stated):
        until = stated[number + 1].since if number + 1 < len(stated) else end
        closes = known.market.trading_ends
        until = until if closes is None else min(until, closes)
        if known.market.status != "active" or until <= since:
            continue
        fee = replace(known.market.fee, since=None)
        if pending is not None and pending.until == since and pending.fee == fee:
            pending = pending._replace(until=until)
            continue
        if pending is not None:
            yield pending
        pending = _TradingTerms(since, until, fee)
    if pending is not None:
        yield pending


def _payout(known: KnownMarket) -> int | None:
    market: Market = known.market
    return dict(known.payouts).get(market.outcomes[0].instrument_id)
