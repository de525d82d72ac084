"""What a person decided in a review, at the end of the file of mappings: pairs approved and pairs rejected.

The file is the user's: what is in it, comments included, stays as it is, and a decision is a table more. Rejected pairs
are there so that nobody is asked twice, and the last decision on a pair counts.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import tomli_w

from predsurv.config.loading import read_toml
from predsurv.config.mappings import PairName, read_mappings, rejections
from predsurv.core.mapping import ApprovedMapping, MappedMarket

REJECTED_MAX: Final = 1_000_000
_HEADER: Final = "# Markets that a person compared: [[pairs]] are one contract, [[rejected]] are not.\n"


def read_rejected(path: Path) -> frozenset[PairName]:
    """Return the pairs that were rejected; raises ConfigError for a table that is not written as documented."""
    return frozenset(rejections(read_toml(path).get("rejected", []), path)) if path.is_file() else frozenset()


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
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at // 1_000)


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
