"""The file of approved mappings: markets of two venues that a person has compared and found to be the same contract.

Nothing is traded across venues on a likeness: a pair without a name and a date of who approved it is refused, not
skipped, because whoever wrote it expects it to be used.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from predsurv.config.loading import read_toml
from predsurv.core.errors import ConfigError
from predsurv.core.ids import ID_CHARS_MAX, InstrumentId, MarketId, VenueName
from predsurv.core.mapping import ApprovedMapping, MappedMarket
from predsurv.core.text import sanitise

PAIRS_MAX: Final = 100_000
_NANOS: Final = 1_000
_TERMS: Final = re.compile(r"[0-9a-f]{32}\Z")


class _Side(Struct, frozen=True, forbid_unknown_fields=True):
    venue: str
    market: str
    outcomes: tuple[str, str]
    terms: str = ""


class _Pair(Struct, frozen=True, forbid_unknown_fields=True):
    first: _Side
    second: _Side
    approved_by: str = ""
    approved_at: datetime | None = None
    note: str = ""


class PairName(Struct, frozen=True):
    """A pair of markets, the smaller (venue, market) first: the order in which they were seen does not count."""

    first: tuple[str, str]
    second: tuple[str, str]


class _RejectedSide(Struct, frozen=True):
    venue: str
    market: str


class _Rejected(Struct, frozen=True):
    first: _RejectedSide
    second: _RejectedSide
    rejected_at: datetime | None = None


def read_mappings(path: Path) -> tuple[ApprovedMapping, ...]:
    """Return the mappings in ``path``, none when there is no such file.

    The last decision on a pair counts: one that is written again replaces what was approved before, and one that was
    rejected after it was approved is none.

    Raises ConfigError, one line that names the pair, for one that nobody approved, that is not written as documented,
    or that contradicts another one.
    """
    if not path.is_file():
        return ()
    tables = read_toml(path)
    unknown = next((name for name in tables if name not in ("pairs", "rejected")), None)
    pairs = tables.get("pairs", [])
    if unknown is not None or not isinstance(pairs, list) or len(pairs) > PAIRS_MAX:
        what = f"unknown key {sanitise(unknown, 40)}" if unknown else "pairs is no list, or too long"
        raise ConfigError(f"{path}: {what}; write each pair as [[pairs]]")
    mappings = tuple(_mapping(table, f"{path}: pair {number}") for number, table in enumerate(pairs, 1))
    decided = _last_decisions(mappings, tables.get("rejected", []), path)
    _refuse_contradictions(decided, path)
    return tuple(mapping for _, mapping in decided)


def _mapping(table: Mapping[str, Any], where: str) -> ApprovedMapping:
    try:
        pair = msgspec.convert(table, _Pair)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {sanitise(str(error), 160)}; see docs/strategies.md") from None
    if not pair.approved_by.strip() or pair.approved_at is None:
        raise ConfigError(
            f"{where}: nobody approved it; compare the rules of both markets, then set approved_by and at"
        )
    first, second = _side(pair.first, f"{where}: first"), _side(pair.second, f"{where}: second")
    if first.venue == second.venue:
        raise ConfigError(f"{where}: both markets are of {sanitise(first.venue, 40)}; a mapping is between two venues")
    return ApprovedMapping(first, second, pair.approved_by, _nanos(_utc(pair.approved_at)))


def _side(side: _Side, where: str) -> MappedMarket:
    if side.terms and not _TERMS.match(side.terms):
        raise ConfigError(f"{where}: terms is no fingerprint; leave it out, or approve with 'predsurv map review'")
    ids = (side.venue, side.market, *side.outcomes)
    if not all(0 < len(each) <= ID_CHARS_MAX for each in ids):
        raise ConfigError(f"{where}: an id is empty or too long; take it from 'predsurv markets'")
    if side.outcomes[0] == side.outcomes[1]:
        raise ConfigError(f"{where}: both outcomes are {sanitise(side.outcomes[0], 40)}; name the two that correspond")
    yes, no = (InstrumentId(each) for each in side.outcomes)
    return MappedMarket(VenueName(side.venue), MarketId(side.market), (yes, no), side.terms)


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def _nanos(at: datetime) -> int:
    since = at - datetime(1970, 1, 1, tzinfo=UTC)
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * _NANOS


def pair_name(one: MappedMarket, other: MappedMarket) -> PairName:
    """Return the name of the pair of these markets."""
    low, high = sorted([(str(one.venue), str(one.market_id)), (str(other.venue), str(other.market_id))])
    return PairName(low, high)


def rejections(tables: object, path: Path) -> dict[PairName, int | None]:
    """Return when each pair of the ``rejected`` tables was rejected (ns UTC), None where that is not written.

    Raises ConfigError for a table that is not written as documented.
    """
    try:
        found = msgspec.convert(tables, list[_Rejected])
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: rejected: {sanitise(str(error), 160)}; see docs/mapping.md") from None
    return {_name(each): None if each.rejected_at is None else _nanos(_utc(each.rejected_at)) for each in found}


def _name(rejected: _Rejected) -> PairName:
    low, high = sorted((each.venue, each.market) for each in (rejected.first, rejected.second))
    return PairName(low, high)


def _last_decisions(
    mappings: Sequence[ApprovedMapping], rejected: object, path: Path
) -> list[tuple[int, ApprovedMapping]]:
    """Return the pairs as approved last, each with its number in the file, without those that were rejected since."""
    last: dict[PairName, tuple[int, ApprovedMapping]] = {}
    for number, mapping in enumerate(mappings, 1):
        name = pair_name(mapping.first, mapping.second)
        if name not in last or mapping.approved_at >= last[name][1].approved_at:
            last[name] = number, mapping
    since = rejections(rejected, path)
    found = ((each, since.get(name)) for name, each in last.items())
    return sorted((each for each, at in found if at is None or at < each[1].approved_at), key=lambda each: each[0])


def _refuse_contradictions(mappings: Sequence[tuple[int, ApprovedMapping]], path: Path) -> None:
    """Refuse a market that is mapped to two of one venue: both cannot be the same contract."""
    seen: dict[tuple[VenueName, MarketId, VenueName], int] = {}
    for number, mapping in mappings:
        for side, other in ((mapping.first, mapping.second), (mapping.second, mapping.first)):
            name = (side.venue, side.market_id, other.venue)
            if name in seen:
                market = sanitise(side.market_id, 60)
                raise ConfigError(f"{path}: pairs {seen[name]} and {number} map {market} to two markets of one venue")
            seen[name] = number
