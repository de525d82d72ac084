"""The queue with what was decided: pairs approved, suspended, rejected, and those that wait."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from predsurv.config.mapping_decisions import read_rejected
from predsurv.config.mappings import PairName, pair_name, read_mappings
from predsurv.core.errors import ConfigError
from predsurv.core.ids import MarketId, VenueName
from predsurv.core.mapping import ApprovedMapping
from predsurv.core.market import Market
from predsurv.mapping.candidate_file import QueuedPair, read_candidates
from predsurv.mapping.listings import listing_of
from predsurv.mapping.precedents import Precedent, Precedents, read_precedents
from predsurv.mapping.settled import Settled, contradictions, read_settled
from predsurv.mapping.terms import read_terms
from predsurv.store.contradicted_pairs import ContradictedPair
from predsurv.store.universe import find_markets, universe_files

State = Literal["contradicted", "approved", "suspended", "unlisted", "waiting", "rejected"]


class DecidedPair(Struct, frozen=True):
    """A pair with its state; ``candidate`` is None for one that was approved and is not in the queue.

    ``contradicted``: both markets have settled, and not alike, or, with ``precedent``, earlier ones of their series,
    which was heard after it was approved; ``changed`` says what they paid. ``suspended``: question, rules, close or
    payoff of a market changed since; ``unlisted``: no list has it.
    """

    name: PairName
    state: State
    candidate: QueuedPair | None
    mapping: ApprovedMapping | None = None
    changed: tuple[str, ...] = ()
    precedent: bool = False


def decided_queue(data_dir: Path, mappings: Path) -> list[DecidedPair]:
    """Return approved pairs first, then the queue, best first, what precedents speak against last.

    Raises ConfigError where there is neither, IntegrityError for a damaged file.
    """
    approved, rejected = read_mappings(mappings), read_rejected(mappings)
    queue = _queue(data_dir, required=not approved)
    known = {name_of(each): each for each in queue}
    sides = [(str(side.venue), str(side.market_id)) for each in approved for side in each.sides()]
    listed = listed_markets(data_dir, sides)
    settled = {venue: read_settled(data_dir, venue, ids) for venue, ids in _by_venue(sides).items()}
    precedents = Precedents(read_precedents(data_dir))
    found = [_approved(each, listed, known, settled, precedents) for each in approved]
    done = {each.name for each in found}
    left = [_undecided(name, each, rejected=name in rejected) for name, each in known.items() if name not in done]
    return found + sorted(left, key=lambda each: each.precedent)


def contradicted_pairs(decided: Iterable[DecidedPair]) -> list[ContradictedPair]:
    """Return the approved pairs that settled markets speak against, for whoever would trade them."""
    return [
        ContradictedPair(each.name.first, each.name.second, each.mapping.approved_at, each.changed)
        for each in decided
        if each.state == "contradicted" and each.mapping is not None
    ]


def _undecided(name: PairName, candidate: QueuedPair, *, rejected: bool) -> DecidedPair:
    if rejected:
        return DecidedPair(name, "rejected", candidate)
    if candidate.veto != "precedent":
        return DecidedPair(name, "waiting", candidate)
    paid = next((each for each in candidate.evidence if each.field == "precedent"), None)
    words = ("", "") if paid is None else (paid.first, paid.second)
    return DecidedPair(name, "contradicted", candidate, None, _earlier(*words), precedent=True)


def _earlier(one: str, other: str) -> tuple[str, ...]:
    return f"earlier ones of these series: {one}", other


def _queue(data_dir: Path, *, required: bool) -> list[QueuedPair]:
    try:
        return read_candidates(data_dir)
    except FileNotFoundError:
        if required:
            raise ConfigError(f"{data_dir} has no queue of pairs; run 'predsurv map build' first") from None
        return []


def name_of(candidate: QueuedPair) -> PairName:
    """Return the name of the pair of a row."""
    one, other = (candidate.first_venue, candidate.first_market), (candidate.second_venue, candidate.second_market)
    low, high = sorted([one, other])
    return PairName(low, high)


def listed_markets(data_dir: Path, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Market]:
    """Return the markets of these venues and ids as listed last, by venue and id."""
    return {
        (str(venue), str(market_id)): market
        for venue, ids in _by_venue(names).items()
        for market_id, market in find_markets(reversed(universe_files(data_dir, venue).values()), ids).items()
    }


def _by_venue(names: Iterable[tuple[str, str]]) -> dict[VenueName, set[MarketId]]:
    wanted: dict[VenueName, set[MarketId]] = {}
    for venue, market_id in names:
        wanted.setdefault(VenueName(venue), set()).add(MarketId(market_id))
    return wanted


def _approved(
    mapping: ApprovedMapping,
    listed: Mapping[tuple[str, str], Market],
    known: Mapping[PairName, QueuedPair],
    settled: Mapping[VenueName, Settled],
    precedents: Precedents,
) -> DecidedPair:
    name = pair_name(mapping.first, mapping.second)
    disagree = contradictions(mapping, settled[mapping.first.venue], settled[mapping.second.venue])
    if disagree:
        return DecidedPair(name, "contradicted", known.get(name), mapping, disagree)
    markets = [listed.get((str(side.venue), str(side.market_id))) for side in mapping.sides()]
    precedent = _precedent(markets, precedents)
    if precedent is not None and precedent.heard_at >= mapping.approved_at:
        return DecidedPair(name, "contradicted", known.get(name), mapping, _earlier(*precedent.words()), precedent=True)
    changed = tuple(
        str(side.market_id)
        for side, market in zip(mapping.sides(), markets, strict=True)
        if market is not None and not side.holds_for(market)
    )
    state: State = "suspended" if changed else "unlisted" if None in markets else "approved"
    return DecidedPair(name, state, known.get(name), mapping, changed)


def _precedent(markets: Sequence[Market | None], precedents: Precedents) -> Precedent | None:
    """Return the latest precedent of markets of these kinds, in whichever order they are named."""
    terms = [read_terms(listing_of(each)) for each in markets if each is not None] if precedents else []
    return precedents.of(*terms) or precedents.of(*terms[::-1]) if len(terms) == 2 else None
