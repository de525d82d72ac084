"""Claims: what may come true in an event, which instruments pay then, and how many can come true together."""

from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.ids import InstrumentKey, MarketId, VenueName
from predsurv.core.mapping import ApprovedMapping, MappedMarket
from predsurv.core.market import BINARY, Market
from predsurv.core.num import MICROS
from predsurv.state.market_facts import FINAL
from predsurv.state.view import View


class ClaimSource(Struct, frozen=True):
    """Where a claim trades: a share of ``yes`` pays a dollar if it comes true, one of ``no`` if it does not."""

    yes: InstrumentKey
    no: InstrumentKey | None


class Claim(Struct, frozen=True):
    """One thing that comes true or not, with every market in which it trades."""

    sources: tuple[ClaimSource, ...]

    def instruments(self) -> Iterator[InstrumentKey]:
        """Yield every instrument that pays by it."""
        for source in self.sources:
            yield source.yes
            if source.no is not None:
                yield source.no


class ClaimGroup(Struct, frozen=True):
    """Claims of which at most one comes true, exactly one where ``exhaustive``; ``name`` is the same in every run."""

    name: str
    claims: tuple[Claim, ...]
    exhaustive: bool

    def instruments(self) -> Iterator[InstrumentKey]:
        """Yield every instrument of the group."""
        for claim in self.claims:
            yield from claim.instruments()


class ClaimGroups:
    """The group of each market, by the flags of the markets of its event and the approved ``mappings``.

    An instrument is in one group at most. A market that pays otherwise than a dollar or nothing, or that is not
    exclusive, is in no group with others; the rest of its event is exclusive without it, and not exhaustive. A market
    that is mapped to one of another venue joins the group of whichever of the two comes first by venue and id, as long
    as both have the terms that were approved.
    """

    def __init__(self, mappings: Iterable[ApprovedMapping] = ()) -> None:
        self._same: dict[tuple[VenueName, MarketId], tuple[MappedMarket, ...]] = {}
        for mapping in mappings:
            self._join(mapping)

    def of(self, market: Market, view: View) -> ClaimGroup | None:
        """Return the group of ``market``, None when nothing is known to hold for it together with others."""
        first = self._first(market, view)
        if first.market_type != BINARY or not first.outcomes:
            return None
        if not first.mutually_exclusive:
            return self._single(first, view)
        siblings = view.siblings(first.venue, first.event_id)
        members = tuple(each for each in siblings if _is_member(each) and _is_same(self._first(each, view), each))
        if not any(_is_same(each, first) for each in members):
            return self._single(first, view)
        settled = tuple(each for each in members if each.status in FINAL)
        payouts = [_payout(each.key(0), view) for each in settled]
        if MICROS in payouts:
            return None  # decided: what is left is being paid out
        whole = len(members) == len(siblings) > 1 and all(each.exhaustive for each in members)
        claims = tuple(self._claim(each, view) for each in members if each not in settled)
        exhaustive = whole and all(payout == 0 for payout in payouts)
        return ClaimGroup(str(first.event_id), claims, exhaustive) if claims else None

    def _single(self, market: Market, view: View) -> ClaimGroup | None:
        if market.status in FINAL:
            return None
        if len(market.outcomes) == 2:
            return ClaimGroup(str(market.market_id), (self._claim(market, view),), exhaustive=False)
        claims = tuple(Claim((ClaimSource(key, None),)) for key in market.keys())  # noqa: SIM118 - no mapping
        return ClaimGroup(str(market.market_id), claims, exhaustive=len(claims) > 1)

    def _claim(self, market: Market, view: View) -> Claim:
        others = (
            ClaimSource(other.key(0), other.key(1))
            for other in self._known_same(market, view)
            if not _is_same(other, market)
        )
        return Claim((ClaimSource(market.key(0), market.key(1)), *others))

    def _first(self, market: Market, view: View) -> Market:
        """Return the market in whose group ``market`` is: itself, or the first of those that are the same contract."""
        for other in self._known_same(market, view):
            return view.market(other.venue, other.market_id) or market
        return market

    def _known_same(self, market: Market, view: View) -> tuple[MappedMarket, ...]:
        """Return the known markets that are the same contract, with outcomes in the order of ``market``'s."""
        same = self._same.get((market.venue, market.market_id), ())
        known = [each for each in same if _is_mappable(view.market(each.venue, each.market_id), each)]
        own = next((each for each in known if _is_same(each, market)), None)
        if own is None:
            return ()
        turned = own.outcomes[0] != market.outcomes[0].instrument_id
        return tuple(_turned(each) if turned else each for each in known)

    def _join(self, mapping: ApprovedMapping) -> None:
        first, second = (self._component(side) for side in (mapping.first, mapping.second))
        own = next(each for each in second if _is_same(each, mapping.second))
        other = next(each for each in first if _is_same(each, mapping.first))
        turned = (own.outcomes == mapping.second.outcomes) != (other.outcomes == mapping.first.outcomes)
        joined = {(each.venue, each.market_id): each for each in first}
        for each in second:
            joined.setdefault((each.venue, each.market_id), _turned(each) if turned else each)
        members = tuple(joined[name] for name in sorted(joined))
        for name in joined:
            self._same[name] = members

    def _component(self, side: MappedMarket) -> tuple[MappedMarket, ...]:
        return self._same.get((side.venue, side.market_id), (side,))


def held(key: InstrumentKey, view: View) -> int:
    """Return the size held of an instrument, in micros of a share."""
    position = view.position(key)
    return 0 if position is None else position.size


def net_held(claim: Claim, view: View) -> int:
    """Return the shares held that pay if the claim comes true less those that pay if not, in micros of a share."""
    against = (held(source.no, view) for source in claim.sources if source.no is not None)
    return sum(held(source.yes, view) for source in claim.sources) - sum(against)


def _is_same(one: Market | MappedMarket, other: Market | MappedMarket) -> bool:
    return one.venue == other.venue and one.market_id == other.market_id


def _turned(market: MappedMarket) -> MappedMarket:
    return replace(market, outcomes=(market.outcomes[1], market.outcomes[0]))


def _is_member(market: Market) -> bool:
    return market.market_type == BINARY and market.mutually_exclusive and len(market.outcomes) == 2


def _is_mappable(market: Market | None, mapped: MappedMarket) -> bool:
    """Return whether a market trades as mapped: one whose rules, close or payoff changed since does not."""
    if market is None or market.market_type != BINARY or len(market.outcomes) != 2:
        return False
    return mapped.holds_for(market)


def _payout(key: InstrumentKey, view: View) -> int | None:
    state = view.state(key)
    return None if state is None else state.payout
