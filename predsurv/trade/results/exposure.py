"""What an account can lose, event by event: the payout of what it holds in every outcome that is possible."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from predsurv.core.ids import EventId, InstrumentId, MarketId, VenueName
from predsurv.core.market import Market
from predsurv.core.num import MICROS, Money, Price, Size, notional
from predsurv.core.orders import Position

_OVER: Final = frozenset({"resolved", "void"})


class GroupExposure(Struct, frozen=True):
    """What is held in the markets of one event; money in micros.

    ``worst`` and ``best`` are the least and most that it pays over the ``outcomes`` that were looked at, ``void`` what
    it pays when every market is void and each outcome pays the same. ``title``: the venue's name of the event, of an
    event of one market what that asks; None where it has none. Not sanitised.
    """

    venue: VenueName
    event_id: EventId
    positions: int
    cost: Money
    worst: Money
    best: Money
    void: Money
    outcomes: int
    title: str | None = None

    @property
    def worst_profit(self) -> Money:
        """What is left of the cost in the worst outcome: negative where money can be lost."""
        return Money(self.worst - self.cost)


def exposure_of(event: Sequence[Market], held: Iterable[Position]) -> GroupExposure:
    """Return the exposure of what is ``held`` in the markets of one event, all of which are given.

    Where at most one market of the event pays, one outcome for each that is open is looked at, and one in which none of
    them does unless the venue guarantees that one will. Otherwise each market pays for itself, and the worst outcome
    is that of each. A void market's outcomes share its dollar.
    """
    sizes = {each.key.instrument_id: each.size for each in held}
    cost = sum(each.cost for each in held)
    markets = [market for market in event if any(each.instrument_id in sizes for each in market.outcomes)]
    payouts = _exclusive(event, sizes) if _is_exclusive(event) else _independent(markets, sizes)
    worst, best = min(payouts), max(payouts)
    void = sum(_pay(sizes, {each.instrument_id: MICROS // len(m.outcomes) for each in m.outcomes}) for m in markets)
    first = event[0]
    return GroupExposure(
        venue=first.venue,
        event_id=first.event_id,
        positions=len(sizes),
        cost=Money(cost),
        worst=Money(worst),
        best=Money(best),
        void=Money(void),
        outcomes=len(payouts),
        title=_title(event),
    )


def _title(event: Sequence[Market]) -> str | None:
    told = next((each.event_title for each in event if each.event_title), None)
    return event[0].question if told is None and len(event) == 1 else told


def _is_exclusive(event: Sequence[Market]) -> bool:
    return len(event) > 1 and all(each.mutually_exclusive and len(each.outcomes) == 2 for each in event)


def _exclusive(event: Sequence[Market], sizes: Mapping[InstrumentId, Size]) -> list[int]:
    candidates: list[MarketId | None] = [each.market_id for each in event if each.status not in _OVER]
    certain = all(each.exhaustive for each in event) and len(candidates) == len(event)
    winners = candidates if certain else [*candidates, None]
    return [sum(_of_market(each, sizes, wins=each.market_id == winner) for each in event) for winner in winners]


def _of_market(market: Market, sizes: Mapping[InstrumentId, Size], *, wins: bool) -> int:
    yes, no = market.outcomes
    return _pay(sizes, {(yes if wins else no).instrument_id: MICROS})


def _independent(markets: Iterable[Market], sizes: Mapping[InstrumentId, Size]) -> list[int]:
    by_market = [[_pay(sizes, {each.instrument_id: MICROS}) for each in market.outcomes] for market in markets]
    return [sum(map(min, by_market)), sum(map(max, by_market))]


def _pay(sizes: Mapping[InstrumentId, Size], prices: Mapping[InstrumentId, int]) -> int:
    return sum(notional(Price(price), sizes.get(key, Size(0))) for key, price in prices.items())
