"""Every instrument of one venue that could be recorded, kept up to date by what the venue says.

Kept apart from rotation so that the choice stays a pure function of a list, while markets come
and go in here.
"""

from collections.abc import Collection, Iterator, Mapping
from hashlib import blake2b
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from predsurv.collect.selection.planner import Candidate
from predsurv.core.events import MarketChange, MarketResolved
from predsurv.core.ids import InstrumentKey, MarketId
from predsurv.core.market import Market

MARKETS_MAX: Final = 1_000_000
"""Markets remembered per venue; later ones are left out and counted."""

_TRADABLE_AFTER: Final[Mapping[str, bool]] = {"activated": True, "paused": False}
_GONE: Final = frozenset({"closed"})


class ShardFilter(Struct, frozen=True):
    """Which instruments of a market are this recorder's business.

    ``mirrored``: the second outcome of a binary market tells nothing new. ``shard`` of ``shards``
    counts from 1 and goes by market, so that all outcomes of one stay together. Shards draw lots for
    each market (rendezvous hashing): they agree without talking, and one more takes its part from
    all others while nothing moves between these.
    """

    mirrored: bool = False
    shard: int = 1
    shards: int = 1

    def includes(self, market_id: MarketId) -> bool:
        """Return whether a market belongs to this recorder's shard."""
        if self.shards == 1:
            return True
        name = market_id.encode("utf-8", "replace")
        return self.shard == max(range(1, self.shards + 1), key=lambda number: (_lot(name, number), number))


def _lot(name: bytes, shard: int) -> bytes:
    return blake2b(name, digest_size=8, person=shard.to_bytes(4)).digest()


class CandidateSet:
    """Candidates by market; markets join when listed and leave when they close."""

    def __init__(self, scope: ShardFilter = ShardFilter()) -> None:  # noqa: B008 - frozen, without state
        self.scope = scope
        self.refused = 0
        self._markets: dict[MarketId, tuple[Candidate, ...]] = {}

    def __len__(self) -> int:
        return len(self._markets)

    def add(self, market: Market) -> None:
        """Take a market in, or its newer record; one of another shard is ignored."""
        if not self.scope.includes(market.market_id):
            return
        if len(self._markets) >= MARKETS_MAX and market.market_id not in self._markets:
            self.refused += 1
            return
        self._markets[market.market_id] = tuple(
            Candidate(key, market.tradable, market.volume_24h or 0, market.liquidity or 0, market.close_time)
            for key in market.primary_keys(mirrored=self.scope.mirrored)
        )

    def apply(self, event: MarketChange | MarketResolved) -> tuple[InstrumentKey, ...]:
        """Follow a market's life; return the instruments that are gone for good by it."""
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
        """Return a market's instruments that can be recorded now."""
        return [candidate.key for candidate in self._markets.get(market_id, ()) if candidate.tradable]

    def has(self, key: InstrumentKey) -> bool:
        """Return whether the instrument's market is still here."""
        return key.market_id in self._markets

    def candidates(self) -> list[Candidate]:
        """Return every candidate, in the order their markets became known."""
        return list(self._all())

    def named(self, names: Collection[str]) -> frozenset[InstrumentKey]:
        """Return the instruments that ``venue:id`` names pin; an id may be a market's or an instrument's."""
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
