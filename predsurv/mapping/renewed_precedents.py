"""The precedents of a data folder, renewed by what has settled since: what reads as one, and what was approved."""

from collections.abc import Sequence
from pathlib import Path

from predsurv.core.mapping import ApprovedMapping
from predsurv.mapping.precedents import Precedent, merged, read_precedents
from predsurv.mapping.settled import Settled, agreed, contradictions
from predsurv.mapping.settled_pairs import SettledPair, SettledPairs, precedents_of
from predsurv.mapping.terms import Terms
from predsurv.mapping.venue_lists import ListedVenue, settled_terms


def renewed_precedents(
    data_dir: Path, venues: tuple[ListedVenue, ListedVenue], settled: SettledPairs, approved: Sequence[ApprovedMapping]
) -> tuple[Precedent, ...]:
    """Return the precedents that are kept with those found now, less those of pairs known by now to have paid alike."""
    first, second = venues
    alike, contradicted = _of_approved(venues, approved)
    terms = tuple(
        _with_missing(data_dir, venue, [each[side] for each in contradicted]) for side, venue in enumerate(venues)
    )
    every = dict.fromkeys((*settled.contradicted, *contradicted))
    known = [each for each in every if each.first in terms[0] and each.second in terms[1]]
    times = {each: max(first.heard[each.first].ts_recv, second.heard[each.second].ts_recv) for each in known}
    found = precedents_of(known, terms[0], terms[1], times)
    return merged(read_precedents(data_dir), found, (*settled.alike, *alike))


def _of_approved(
    venues: tuple[ListedVenue, ListedVenue], approved: Sequence[ApprovedMapping]
) -> tuple[list[SettledPair], list[SettledPair]]:
    """Return those of the approved pairs that are known to have paid alike, and those that did not."""
    by_name = {venue.name: venue.heard for venue in venues}
    alike, contradicted = [], []
    for mapping in approved:
        sides = {side.venue: str(side.market_id) for side in mapping.sides()}
        if sides.keys() != by_name.keys():
            continue
        one, other = (by_name[side.venue] for side in mapping.sides())
        pair = SettledPair(*(sides[venue.name] for venue in venues))
        if agreed(mapping, one, other):
            alike.append(pair)
        elif contradictions(mapping, one, other):
            contradicted.append(pair)
    return alike, contradicted


def _with_missing(data_dir: Path, venue: ListedVenue, names: Sequence[str]) -> dict[str, Terms]:
    """Return the fields of settled markets with those of ``names``, which the latest lists may not have any more."""
    wanted: Settled = {name: venue.heard[name] for name in names if name not in venue.settled}
    return {**venue.settled, **(settled_terms(data_dir, venue.name, wanted) if wanted else {})}
