"""What a line of universe.jsonl said earlier in its day, beside what it says now.

``fetched_at`` of a line is when the list had the market last, ``unchanged_since`` (absent: ``fetched_at``) the
earliest scan of the day that found what it says. ``replaced`` holds what it said before, oldest first: ``fetched_at``,
when a scan first found it, and the fields in which the next entry, or the line itself, differs, with their old values.
Amounts that change all the time (volume, volume_24h, liquidity, open_interest) and texts (description, tags, url)
have no history.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from operator import attrgetter
from typing import Any, Final

import msgspec
from msgspec.structs import fields, replace

from predsurv.core.events import MarketChange
from predsurv.store.universe import MarketLine, parse_iso, to_market

REPLACED_MAX: Final = 96
"""Most entries of ``replaced``: one every quarter of an hour; of more, the second oldest ones are left out."""

_AMOUNTS: Final = ("volume", "volume_24h", "liquidity", "open_interest")
_NOT_FACTS: Final = frozenset(
    {*_AMOUNTS, "venue", "market_id", "description", "tags", "url"}
    | {"fetched_at", "last_seen", "unchanged_since", "replaced"}
)
_FACTS: Final = tuple(each.name for each in fields(MarketLine) if each.name not in _NOT_FACTS)
_FEE: Final = _FACTS.index("fee")
_facts_of: Final = attrgetter(*_FACTS)


def facts_of_line(line: MarketLine) -> tuple[object, ...]:
    """Return the values of a line that have a history; equal ones say the same.

    Since when a fee holds is no fact of its own: a venue that does not tell it has the time of the scan there.
    """
    facts: tuple[object, ...] = _facts_of(line)
    return (*facts[:_FEE], _said("fee", line), *facts[_FEE + 1 :])


def versions(line: MarketLine) -> list[MarketLine]:
    """Return what the line said in its day, oldest first, each version ``fetched_at`` when a scan first found it.

    Raises ``universe.UNREADABLE`` for an entry of ``replaced`` that is damaged.
    """
    current = replace(line, fetched_at=line.unchanged_since or line.fetched_at, last_seen=None)
    found = [replace(current, unchanged_since=None, replaced=())]
    for entry in reversed(line.replaced):
        values = {**msgspec.to_builtins(found[-1]), **entry, **dict.fromkeys(_AMOUNTS)}
        found.append(msgspec.convert(values, MarketLine))
    return found[::-1]


def statement(version: MarketLine) -> MarketChange:
    """Return one of the ``versions`` of a line as a statement; raises ``universe.UNREADABLE``."""
    market = to_market(version)
    return MarketChange(market.venue, market.market_id, None, market.fetched_at, None, "listed", "", market)


def merge_lines(one: MarketLine, other: MarketLine) -> MarketLine:
    """Return one line of what two scans of a day found of a market, whichever of them was written first.

    Raises ``universe.UNREADABLE``.
    """
    older, newer = sorted((one, other), key=lambda line: parse_iso(line.fetched_at))
    newer = replace(newer, last_seen=None)
    if facts_of_line(older) == facts_of_line(newer) and newer.unchanged_since is None and not newer.replaced:
        since = older.unchanged_since or older.fetched_at  # the usual case
        unchanged = None if since == newer.fetched_at else since
        return replace(newer, fee=older.fee, unchanged_since=unchanged, replaced=older.replaced)
    seen = [each for line in (older, newer) for each in (*versions(line), replace(line, unchanged_since=None))]
    return _with_history(newer, sorted(seen, key=lambda line: parse_iso(line.fetched_at)))


def _with_history(newest: MarketLine, seen: Iterable[MarketLine]) -> MarketLine:
    """Return ``newest`` with the history of what was ``seen``, oldest first and itself the last."""
    told: list[MarketLine] = []
    for each in seen:
        if not told or facts_of_line(told[-1]) != facts_of_line(each):
            told.append(each)
    since = told[-1].fetched_at
    entries = [_entry(before, after) for before, after in pairwise(told)]
    return replace(
        newest,
        fee=told[-1].fee,
        unchanged_since=None if since == newest.fetched_at else since,
        replaced=tuple(entries if len(entries) <= REPLACED_MAX else _bounded(entries)),
    )


def _entry(before: MarketLine, after: MarketLine) -> dict[str, Any]:
    changed = {name: msgspec.to_builtins(getattr(before, name)) for name in _FACTS if _differs(name, before, after)}
    return {"fetched_at": before.fetched_at, **changed}


def _differs(name: str, before: MarketLine, after: MarketLine) -> bool:
    return _said(name, before) != _said(name, after)


def _said(name: str, line: MarketLine) -> object:
    return replace(line.fee, since=None) if name == "fee" else getattr(line, name)


def _bounded(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Drop the second oldest entries: the first one says what held when the day began."""
    dropped: dict[str, Any] = {}
    cut = len(entries) - REPLACED_MAX
    for entry in entries[cut:0:-1]:
        dropped |= entry
    return [{**dropped, **entries[0]}, *entries[cut + 1 :]]
