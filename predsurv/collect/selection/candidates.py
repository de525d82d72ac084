"""The instruments of one venue that could be recorded, and the facts of their markets, as the statements so far say."""

from collections.abc import Callable, Collection, Container, Iterable
from collections.abc import Set as AbstractSet
from hashlib import blake2b
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from predsurv.collect.selection.planner import Candidate
from predsurv.core.events import MarketChange, MarketFact, MarketResolved
from predsurv.core.ids import EventId, InstrumentKey, MarketId
from predsurv.core.market import Market
from predsurv.ports import Mirrors
from predsurv.state.market_facts import FINAL, KnownMarket, apply_fact, holds_from

MARKETS_MAX: Final = 1_000_000
"""Markets kept per venue; later ones are refused and counted."""

SPARE_SHAPES: Final = 1_000
"""Sets of facts that no market has any more, as many of which are kept; of those in use there are some hundred."""

OVER_MAX: Final = 1 << 15
"""Markets remembered that are over: those of ten hours, longer than any list lags behind (a day has some 74,000)."""

UNOPENED_KEPT: Final = 30 * 86_400 * 1_000_000_000
"""How long (ns) a market is kept that was announced and has not opened."""

LATER: Final = "?"
"""Ends the name of a pinned market or instrument that the venue may list only later."""

_OVER: Final = FINAL | {"closed"}
_GONE: Final = frozenset({"closed"})
_REPEATED: Final = frozenset({"tick_size", "listed"})
"""Kinds of statements that a venue repeats without news, such as at each subscription."""


class ShardFilter(Struct, frozen=True):
    """Which instruments of a market this recorder may record.

    ``complementary``: the outcomes of a binary market are complements, so each has the other as its mirror.
    ``mirrored``: the second one is left out for that reason.
    ``shard`` of ``shards`` counts from 1 and goes by market, so that all outcomes of one stay together.
    Markets are assigned by rendezvous hashing: shards agree without communicating, and an additional one takes
    an equal part of the markets of each other while none moves between these. ``process`` of ``processes`` divides
    what is in the shard in the same way, so that machines may run different numbers of processes.
    """

    mirrored: bool = False
    shard: int = 1
    shards: int = 1
    complementary: bool = False
    process: int = 1
    processes: int = 1

    def includes(self, market_id: MarketId) -> bool:
        """Return whether a market belongs to this recorder's shard, and to its process."""
        if self.shards == self.processes == 1:
            return True
        name = market_id.encode("utf-8", "replace")
        return self.shard == _chosen(name, self.shards, b"") and self.process == _chosen(name, self.processes, b"p")


def _chosen(name: bytes, parts: int, level: bytes) -> int:
    """Return which of ``parts`` parts (from 1) a market belongs to; ``level`` makes one division independent."""
    return max(range(1, parts + 1), key=lambda number: (_weight(name, number, level), number))


def _weight(name: bytes, part: int, level: bytes) -> bytes:
    return blake2b(name, digest_size=8, person=part.to_bytes(4) + level).digest()


class Membership(Struct, frozen=True):
    """What a statement changed: instruments that are ``gone`` for good, and those ``opened``: tradable from now on.

    ``first``: their market was not open before, as far as is known. ``was_open``: that of those gone was.
    """

    gone: tuple[InstrumentKey, ...] = ()
    opened: tuple[InstrumentKey, ...] = ()
    first: bool = False
    was_open: bool = False


class _KnownCandidates(Struct, gc=False):
    """A market: its instruments as of the last ``apply``, what is known of it, and the digest of its last whole record.

    ``known`` has no field that tells one market from another, so that markets share it: there are 200,000 of them.
    ``stated`` is when it was last listed or announced (ns UTC), ``was_open`` whether it was open at any time, ``heard``
    whether the feed has stated what venues repeat: the first time is news whatever the list says, because an earlier
    recording may have stated something else.
    """

    candidates: tuple[Candidate, ...]
    known: KnownMarket
    digest: int
    stated: int
    was_open: bool = False
    heard: bool = False


class _SharedRecords:
    """One record for all markets with the same facts. ``in_use``: returns the records that markets have."""

    def __init__(self, in_use: Callable[[], Iterable[KnownMarket]]) -> None:
        self._in_use = in_use
        self._records: dict[KnownMarket, KnownMarket] = {}
        self._room = SPARE_SHAPES

    def __len__(self) -> int:
        return len(self._records)

    def of(self, known: KnownMarket) -> KnownMarket:
        """Return a record equal to ``known``, one that other markets have as well where there is one."""
        if len(self._records) >= self._room:
            distinct = {id(each): each for each in self._in_use()}  # cheaper than hashing one for each market
            self._records = {each: each for each in distinct.values()}
            self._room = len(self._records) + SPARE_SHAPES
        return self._records.setdefault(known, known)


class CandidateSet:
    """Candidates by market; markets join when listed and leave when they close.

    ``pins``: names of markets and instruments, ``venue:id``; ``pinned``: those of them that are known so far.
    ``refused``: markets beyond MARKETS_MAX. ``listed_at``: when the list was read that was added (ns UTC).
    """

    def __init__(
        self,
        shard_filter: ShardFilter = ShardFilter(),  # noqa: B008 - frozen, without state
        pins: Collection[str] = (),
    ) -> None:
        self.refused = 0
        self.pinned: set[InstrumentKey] = set()
        self._filter = shard_filter
        self._pins = frozenset(name.removesuffix(LATER) for name in pins)
        self.listed_at = 0
        self._markets: dict[MarketId, _KnownCandidates] = {}
        self._shapes = _SharedRecords(lambda: (entry.known for entry in self._markets.values()))
        self._over: dict[int, bool] = {}  # by the hash of its id, the oldest first: was its life told?

    def __len__(self) -> int:
        return len(self._markets)

    def add(self, market: Market) -> None:
        """Add a market as listed before the recording, or replace what is known of it by its newer record.

        One that its list had no more, as its ``last_seen`` says, is left out.
        """
        if market.last_seen is not None:
            return
        self.listed_at = max(self.listed_at, market.fetched_at)
        self.apply(MarketChange(market.venue, market.market_id, None, market.fetched_at, None, "listed", "", market))

    def fold(self, fact: MarketFact) -> bool:
        """Fold a statement in; return whether it is news, which only what venues repeat may not be.

        Who is tradable changes with ``apply`` alone, for which this may have been called before.
        """
        if isinstance(fact, MarketChange) and fact.market is not None:
            if fact.kind in _GONE and fact.market_id not in self._markets and self._over.get(hash(fact.market_id)):
                return False  # a list of what is over has all markets, also those whose end was announced
            return self._record(fact, fact.market) or fact.kind not in _REPEATED
        entry = self._markets.get(fact.market_id)
        if entry is None or holds_from(fact) > fact.ts_recv:
            return True
        known = apply_fact(entry.known, fact)
        if known is None or (_repeats(fact) and known == entry.known and entry.heard):
            return False
        entry.known, entry.heard = self._shapes.of(known), entry.heard or _repeats(fact)
        return True

    def apply(self, fact: MarketFact) -> Membership:
        """Let the market of a statement join or leave."""
        self.fold(fact)
        entry = self._markets.get(fact.market_id)
        if isinstance(fact, MarketResolved) or fact.kind in _GONE or (entry and entry.known.market.status in _OVER):
            was_open = entry is not None and entry.was_open
            record = isinstance(fact, MarketChange) and fact.market is not None
            told = (was_open or record) and fact.ts_venue is not None
            return Membership(gone=self.remove(fact.market_id, told=told), was_open=was_open)
        if entry is None:
            return Membership()
        tradable, first = entry.known.market.tradable, not entry.was_open
        opened = tuple(each.key for each in entry.candidates if tradable and not each.tradable)
        if any(each.tradable != tradable for each in entry.candidates):
            entry.candidates = tuple(replace(each, tradable=tradable) for each in entry.candidates)
        entry.was_open |= tradable
        return Membership(opened=opened, first=first)

    def remove(self, market_id: MarketId, *, over: bool = True, told: bool = True) -> tuple[InstrumentKey, ...]:
        """Remove a market; return its instruments. A list does not bring it back when it is ``over``: lists lag.

        ``told``: its end is known with the venue's time, so that a list of markets that are over has no news of it.
        """
        if not self._filter.includes(market_id):
            return ()
        entry = self._markets.pop(market_id, None)
        while len(self._over) >= OVER_MAX:
            del self._over[next(iter(self._over))]
        if over:
            name = hash(market_id)
            self._over[name] = self._over.get(name, False) or told
        keys = () if entry is None else tuple(candidate.key for candidate in entry.candidates)
        self.pinned.difference_update(keys)
        return keys

    def has(self, key: InstrumentKey) -> bool:
        """Return whether the instrument's market has not closed."""
        return key.market_id in self._markets

    def mirrors(self, keys: AbstractSet[InstrumentKey]) -> Mirrors:
        """Return the mirrors of those of ``keys`` that have one."""
        markets = (self._markets.get(market_id) for market_id in dict.fromkeys(key.market_id for key in keys))
        every = (candidate for entry in markets if entry is not None for candidate in entry.candidates)
        return {each.key: each.mirror for each in every if each.mirror is not None and each.key in keys}

    def tradable(self, key: InstrumentKey) -> bool:
        """Return whether the instrument can be traded, and so recorded, now."""
        entry = self._markets.get(key.market_id)
        return entry is not None and any(each.tradable for each in entry.candidates[:1])

    def candidates(self) -> list[Candidate]:
        """Return every candidate, in the order in which the markets were added."""
        return [candidate for entry in self._markets.values() for candidate in entry.candidates]

    def stated_before(self, ts: int) -> list[MarketId]:
        """Return the markets that were last listed or announced before ``ts`` (ns UTC).

        Those that have not opened yet are left out for UNOPENED_KEPT: lists need not have them.
        """
        unopened = ts - UNOPENED_KEPT
        entries = self._markets.items()
        return [market_id for market_id, each in entries if each.stated < (ts if each.was_open else unopened)]

    def _record(self, fact: MarketChange, market: Market) -> bool:
        """Fold in a whole record; return whether any of its dated facts is new."""
        entry = self._markets.get(market.market_id)
        if not self._filter.includes(market.market_id):
            return fact.kind not in _REPEATED
        if fact.kind == "listed" and _is_outdated(market, entry, self._over):
            return False
        if entry is None and len(self._markets) >= MARKETS_MAX:
            self.refused += 1
            return True
        dated = _dated_facts(market)
        digest = hash(dated)
        known = None if entry is None else entry.known
        if entry is None or digest != entry.digest or fact.kind not in _REPEATED:
            known = apply_fact(known, replace(fact, market=_shape(dated)))
        assert known is not None  # noqa: S101 - the statement has the whole record
        candidates = tuple(
            Candidate(
                key,
                tradable=False,
                volume_24h=market.volume_24h or 0,
                liquidity=market.liquidity or 0,
                close_time=market.close_time,
                mirror=market.mirror_of(key) if self._filter.complementary else None,
            )
            for key in market.primary_keys(mirrored=self._filter.mirrored)
        )
        news = entry is None or digest != entry.digest
        if entry is None:
            entry = self._markets[market.market_id] = _KnownCandidates(candidates, self._shapes.of(known), digest, 0)
            if self._pins:
                self.pinned |= _pinned_of(market, self._pins, mirrored=self._filter.mirrored)
        elif candidates[:1] and entry.candidates[:1]:
            tradable = entry.candidates[0].tradable
            entry.candidates = tuple(replace(each, tradable=tradable) for each in candidates)
        stated = market.fetched_at if fact.kind == "listed" else fact.ts_recv
        entry.known, entry.digest, entry.stated = self._shapes.of(known), digest, max(entry.stated, stated)
        return news


def names_of(key: InstrumentKey) -> tuple[str, str]:
    """Return the names under which an instrument can be pinned: that of its market and its own."""
    return f"{key.venue}:{key.market_id}", f"{key.venue}:{key.instrument_id}"


def _pinned_of(market: Market, pins: AbstractSet[str], *, mirrored: bool) -> frozenset[InstrumentKey]:
    """Return the instruments of ``market`` that are recorded and named; a complement names the first outcome."""
    named = [key for key in market.keys() if not pins.isdisjoint(names_of(key))]  # noqa: SIM118 - no mapping
    return frozenset(market.primary_of(key, mirrored=mirrored) for key in named)


def _is_outdated(market: Market, entry: _KnownCandidates | None, over: Container[int]) -> bool:
    """Return whether more is known than a list said: reading one takes minutes, and is taken in when it ends."""
    if entry is None:
        return _is_over(market) or hash(market.market_id) in over
    return market.fetched_at < entry.stated


def _is_over(market: Market) -> bool:
    return market.status in _OVER or market.last_seen is not None


def _repeats(fact: MarketFact) -> bool:
    """Return whether a statement is of a kind that venues repeat without news."""
    return isinstance(fact, MarketChange) and fact.kind in _REPEATED


def _shape(market: Market) -> Market:
    """Return a market's dated facts without what tells it from others that have the same."""
    return replace(
        market,
        market_id=MarketId(""),
        event_id=EventId(""),
        question="",
        outcomes=(),
        series_id=None,
        event_title=None,
        close_time=None,
        game_start=None,
        rules_hash=None,
    )


def _dated_facts(market: Market) -> Market:
    """Return ``market`` without what changes all the time, and without how the venue describes and sorts it."""
    return replace(
        market,
        fetched_at=0,
        last_seen=None,
        volume=None,
        volume_24h=None,
        liquidity=None,
        open_interest=None,
        description=None,
        category=None,
        tags=(),
        url=None,
        event_title=None,
    )
