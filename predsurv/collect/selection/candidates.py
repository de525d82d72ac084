"""The instruments of one venue that could be recorded, updated by the venue's market events."""

from collections.abc import Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from hashlib import blake2b
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from predsurv.collect.selection.planner import Candidate
from predsurv.core.events import MarketChange, MarketResolved
from predsurv.core.ids import InstrumentKey, MarketId
from predsurv.core.market import Market
from predsurv.ports import Mirrors

MARKETS_MAX: Final = 1_000_000
"""Markets kept per venue; later ones are refused and counted."""

_TRADABLE_AFTER: Final[Mapping[str, bool]] = {"activated": True, "paused": False}
_GONE: Final = frozenset({"closed"})


class ShardFilter(Struct, frozen=True):
    """Which instruments of a market this recorder may record.

    ``complementary``: the outcomes of a binary market are complements, so each has the other as its mirror.
    ``mirrored``: the second one is left out for that reason.
    ``shard`` of ``shards`` counts from 1 and goes by market, so that all outcomes of one stay together.
    Markets are assigned by rendezvous hashing: shards agree without communicating, and an additional one takes
    an equal part of the markets of each other while none moves between these.
    """

    mirrored: bool = False
    shard: int = 1
    shards: int = 1
    complementary: bool = False

    def includes(self, market_id: MarketId) -> bool:
        """Return whether a market belongs to this recorder's shard."""
        if self.shards == 1:
            return True
        name = market_id.encode("utf-8", "replace")
        return self.shard == max(range(1, self.shards + 1), key=lambda number: (_weight(name, number), number))


def _weight(name: bytes, shard: int) -> bytes:
    return blake2b(name, digest_size=8, person=shard.to_bytes(4)).digest()


class CandidateSet:
    """Candidates by market; markets join when listed and leave when they close. ``refused``: beyond MARKETS_MAX."""

    def __init__(self, shard_filter: ShardFilter = ShardFilter()) -> None:  # noqa: B008 - frozen, without state
        self._filter = shard_filter
        self.refused = 0
        self._markets: dict[MarketId, tuple[Candidate, ...]] = {}

    def __len__(self) -> int:
        return len(self._markets)

    def add(self, market: Market) -> None:
        """Add a market, or replace it by its newer record; one of another shard is ignored."""
        if not self._filter.includes(market.market_id):
            return
        if len(self._markets) >= MARKETS_MAX and market.market_id not in self._markets:
            self.refused += 1
            return
        self._markets[market.market_id] = tuple(
            Candidate(
                key,
                market.tradable and market.last_seen is None,
                market.volume_24h or 0,
                market.liquidity or 0,
                market.close_time,
                market.mirror_of(key) if self._filter.complementary else None,
            )
            for key in market.primary_keys(mirrored=self._filter.mirrored)
        )

    def apply(self, event: MarketChange | MarketResolved) -> tuple[InstrumentKey, ...]:
        """Apply a market event; return the instruments that it removed for good."""
        if isinstance(event, MarketResolved) or event.kind in _GONE:
            return tuple(candidate.key for candidate in self._markets.pop(event.market_id, ()))
        if event.market is not None:
            self.add(event.market)
        elif event.kind in _TRADABLE_AFTER:
            tradable = _TRADABLE_AFTER[event.kind]
            known = self._markets.get(event.market_id, ())
            if known:
                self._markets[event.market_id] = tuple(replace(each, tradable=tradable) for each in known)
        return ()

    def tradable(self, market_id: MarketId) -> list[InstrumentKey]:
        """Return the instruments of a market that are tradable now."""
        return [candidate.key for candidate in self._markets.get(market_id, ()) if candidate.tradable]

    def has(self, key: InstrumentKey) -> bool:
        """Return whether the instrument's market has not closed."""
        return key.market_id in self._markets

    def mirrors(self, keys: AbstractSet[InstrumentKey]) -> Mirrors:
        """Return the mirrors of those of ``keys`` that have one."""
        markets = dict.fromkeys(key.market_id for key in keys)
        every = (candidate for market_id in markets for candidate in self._markets.get(market_id, ()))
        return {each.key: each.mirror for each in every if each.mirror is not None and each.key in keys}

    def candidates(self) -> list[Candidate]:
        """Return every candidate, in the order in which the markets were added."""
        return list(self._all())

    def named(self, names: Collection[str]) -> frozenset[InstrumentKey]:
        """Return the instruments among ``names`` of the form ``venue:id``, the id of a market or of an instrument."""
        if not names:
            return frozenset()
        return frozenset(
            each.key
            for each in self._all()
            if f"{each.key.venue}:{each.key.market_id}" in names
            or f"{each.key.venue}:{each.key.instrument_id}" in names
        )

    def _all(self) -> Iterator[Candidate]:
        for candidates in self._markets.values():
            yield from candidates
