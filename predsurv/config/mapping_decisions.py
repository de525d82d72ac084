"""What a person decided in a review, at the end of the file of mappings: pairs approved and pairs rejected.

The file is the user's: what is in it, comments included, stays as it is, and a decision is a table more. Rejected pairs
are there so that nobody is asked twice.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import tomli_w
from msgspec import Struct

from predsurv.config.loading import read_toml
from predsurv.config.mappings import read_mappings
from predsurv.core.errors import ConfigError
from predsurv.core.mapping import ApprovedMapping, MappedMarket
from predsurv.core.text import sanitise

REJECTED_MAX: Final = 1_000_000
_HEADER: Final = "# Markets that a person compared: [[pairs]] are one contract, [[rejected]] are not.\n"


class PairName(Struct, frozen=True):
    """A pair of markets, the smaller (venue, market) first: the order in which they were seen does not count."""

    first: tuple[str, str]
    second: tuple[str, str]


def pair_name(one: MappedMarket, other: MappedMarket) -> PairName:
    """Return the name of the pair of these markets."""
    low, high = sorted([(str(one.venue), str(one.market_id)), (str(other.venue), str(other.market_id))])
    return PairName(low, high)


class _RejectedSide(Struct, frozen=True):
    venue: str
    market: str


class _Rejected(Struct, frozen=True):
    first: _RejectedSide
    second: _RejectedSide


def read_rejected(path: Path) -> frozenset[PairName]:
    """Return the pairs that were rejected; raises ConfigError for a table that is not written as documented."""
    if not path.is_file():
        return frozenset()
    try:
        tables = msgspec.convert(read_toml(path).get("rejected", []), list[_Rejected])
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: rejected: {sanitise(str(error), 160)}; see docs/mapping.md") from None
    found = (
        sorted([(each.first.venue, each.first.market), (each.second.venue, each.second.market)]) for each in tables
    )
    return frozenset(PairName(low, high) for low, high in found)


def add_approved(path: Path, mapping: ApprovedMapping, note: str = "") -> None:
    """Append an approved pair; raises ConfigError, leaving the file as it was, if it contradicts another one."""
    table = {
        "approved_by": mapping.approved_by,
        "approved_at": _moment(mapping.approved_at),
        **({"note": note} if note else {}),
        "first": _side(mapping.first),
        "second": _side(mapping.second),
    }
    _append(path, "pairs", table)


def add_rejected(path: Path, one: MappedMarket, other: MappedMarket, *, by: str, at: int) -> None:
    """Append a rejected pair; ``at``: ns UTC."""
    sides = ({"venue": str(each.venue), "market": str(each.market_id)} for each in (one, other))
    first, second = sides
    _append(path, "rejected", {"rejected_by": by, "rejected_at": _moment(at), "first": first, "second": second})


def _side(market: MappedMarket) -> dict[str, Any]:
    terms = {"terms": market.terms} if market.terms else {}
    return {"venue": str(market.venue), "market": str(market.market_id), "outcomes": list(market.outcomes), **terms}


def _moment(at: int) -> datetime:
    return datetime.fromtimestamp(at // 1_000_000_000, UTC)


def _append(path: Path, name: str, table: Mapping[str, Any]) -> None:
    """Write the file with one table more beside the old one, read it as every command does, then replace the old."""
    before = path.read_text(encoding="utf-8") if path.is_file() else _HEADER
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("w", encoding="utf-8") as stream:
            stream.write(before.rstrip("\n") + "\n\n" + tomli_w.dumps({name: [dict(table)]}))
            stream.flush()
            os.fsync(stream.fileno())
        read_mappings(draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
