"""The queue with what was decided: pairs approved, suspended, rejected, and those that wait."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct

from predsurv.config.mapping_decisions import read_rejected
from predsurv.config.mappings import PairName, pair_name, read_mappings
from predsurv.core.errors import PredsurvError
from predsurv.core.ids import MarketId, VenueName
from predsurv.core.mapping import ApprovedMapping
from predsurv.core.market import Market
from predsurv.mapping.candidate_file import QueuedPair, read_candidates
from predsurv.mapping.settled import Settled, contradictions, read_settled
from predsurv.store.universe import find_markets, universe_files

State = Literal["contradicted", "approved", "suspended", "unlisted", "waiting", "rejected"]


class DecidedPair(Struct, frozen=True):
    """A pair with its state; ``candidate`` is None for one that was approved and is not in the queue.

    ``contradicted``: both markets have settled, and not alike; ``suspended``: question, rules, close or payoff of a
    market changed since; ``unlisted``: no list has it.
    """

    name: PairName
    state: State
    candidate: QueuedPair | None
    mapping: ApprovedMapping | None = None
    changed: tuple[str, ...] = ()


def decided_queue(data_dir: Path, mappings: Path) -> list[DecidedPair]:
    """Return approved pairs first, then the queue, best first; raises PredsurvError where there is neither."""
    approved, rejected = read_mappings(mappings), read_rejected(mappings)
    queue = _queue(data_dir, required=not approved)
    known = {name_of(each): each for each in queue}
    sides = [(str(side.venue), str(side.market_id)) for each in approved for side in each.sides()]
    listed = listed_markets(data_dir, sides)
    settled = {venue: read_settled(data_dir, venue, ids) for venue, ids in _by_venue(sides).items()}
    found = [_approved(each, listed, known, settled) for each in approved]
    done = {each.name for each in found}
    for name, candidate in known.items():
        if name not in done:
            found.append(DecidedPair(name, "rejected" if name in rejected else "waiting", candidate))
    return found


def _queue(data_dir: Path, *, required: bool) -> list[QueuedPair]:
    try:
        return read_candidates(data_dir)
    except FileNotFoundError:
        if required:
            raise PredsurvError(f"{data_dir} has no queue of pairs; run 'predsurv map build' first") from None
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
) -> DecidedPair:
    name = pair_name(mapping.first, mapping.second)
    disagree = contradictions(mapping, settled[mapping.first.venue], settled[mapping.second.venue])
    if disagree:
        return DecidedPair(name, "contradicted", known.get(name), mapping, disagree)
    markets = [listed.get((str(side.venue), str(side.market_id))) for side in mapping.sides()]
    changed = tuple(
        str(side.market_id)
        for side, market in zip(mapping.sides(), markets, strict=True)
        if market is not None and not side.holds_for(market)
    )
    state: State = "suspended" if changed else "unlisted" if None in markets else "approved"
    return DecidedPair(name, state, known.get(name), mapping, changed)
