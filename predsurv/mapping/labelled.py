"""Pairs that somebody labelled, as CSV: what ``map score`` reads."""

import csv
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from msgspec import Struct

from predsurv.core.errors import ConfigError
from predsurv.core.num import MICROS, parse_micros
from predsurv.core.text import sanitise
from predsurv.mapping.matching import PairOfIds
from predsurv.mapping.terms import Listing

ROWS_MAX: Final = 1_000_000
CELL_CHARS_MAX: Final = 65_536
COLUMNS: Final = (
    "kalshi_ticker",
    "kalshi_title",
    "kalshi_subtitle",
    "polymarket_id",
    "polymarket_question",
    "label",
    "kalshi_rules",
    "kalshi_close",
    "kalshi_event",
    "polymarket_rules",
    "polymarket_close",
    "polymarket_event",
    "relation",
    "reason",
    "kalshi_result",
    "polymarket_result",
)
_OTHER_NAMES: Final = {
    "close_time_kalshi": "kalshi_close",
    "close_time_polymarket": "polymarket_close",
    "kalshi_event_ticker": "kalshi_ticker",
    "poly_event_slug": "polymarket_id",
    "poly_market_type": "polymarket_kind",
    "league_or_reason": "reason",
    "polymarket_slug": "polymarket_id",
    "kalshi_sub_title": "kalshi_subtitle",
    "kalshi_yes_sub_title": "kalshi_subtitle",
    "polymarket_title": "polymarket_question",
    "polymarket_description": "polymarket_rules",
}
_TRUE: Final = frozenset({"1", "1.0", "true", "yes", "y", "same", "match"})
_FALSE: Final = frozenset({"0", "0.0", "-1", "false", "no", "n", "different", ""})


class LabelledPairs(Struct, frozen=True):
    """The pairs of a file with their labels, and the markets that they name.

    ``completed``: nobody labelled the file, so its rows are the true pairs and every other pair of its markets is
    false.
    """

    pairs: tuple[PairOfIds, ...]
    labels: tuple[bool, ...]
    reasons: tuple[str, ...]
    first: Mapping[str, Listing]
    second: Mapping[str, Listing]
    completed: bool = False


def read_labelled(path: Path) -> LabelledPairs:
    """Return the labelled pairs of a CSV file; raises ConfigError, one line, for one that cannot be used."""
    csv.field_size_limit(CELL_CHARS_MAX)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read(csv.DictReader(file), path)
    except OSError as error:
        raise ConfigError(f"{sanitise(str(path), 200)}: {error.strerror}; name a CSV file of labelled pairs") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{sanitise(str(path), 200)} is no CSV file in UTF-8: {sanitise(str(error), 200)}") from None


def _read(reader: "csv.DictReader[str]", path: Path) -> LabelledPairs:
    names = {name: _OTHER_NAMES.get(name.strip(), name.strip()) for name in reader.fieldnames or ()}
    missing = {"kalshi_ticker", "polymarket_id"} - set(names.values())
    if missing:
        raise ConfigError(f"{path}: no column {' and '.join(sorted(missing))}; it reads {', '.join(COLUMNS)}")
    labelled = "label" in names.values()
    pairs: dict[PairOfIds, bool] = {}
    reasons: dict[PairOfIds, str] = {}
    first: dict[str, Listing] = {}
    second: dict[str, Listing] = {}
    for row in _rows(reader, names, path):
        one, other = _kalshi(row), _polymarket(row)
        first.setdefault(one.market_id, one)
        second.setdefault(other.market_id, other)
        pair = PairOfIds(one.market_id, other.market_id)
        pairs[pair] = _label(row["label"], path) if labelled else True
        reasons[pair] = row.get("reason", "")
    if not labelled:
        pairs |= {pair: False for pair in _cross(first, second) if pair not in pairs}
    found = tuple(pairs)
    reason = tuple(reasons.get(pair, "") for pair in found)
    return LabelledPairs(found, tuple(pairs.values()), reason, first, second, completed=not labelled)


_CROSS_MAX: Final = 2_000


def _cross(first: Mapping[str, Listing], second: Mapping[str, Listing]) -> Iterator[PairOfIds]:
    if len(first) * len(second) <= _CROSS_MAX**2:
        yield from (PairOfIds(one, other) for one in first for other in second)


def _rows(reader: "csv.DictReader[str]", names: Mapping[str, str], path: Path) -> Iterator[dict[str, str]]:
    for number, raw in enumerate(reader, 1):
        if number > ROWS_MAX:
            raise ConfigError(f"{path}: more than {ROWS_MAX:,} rows")
        row = {
            names[name]: (value or "").strip()
            for name, value in raw.items()
            if name in names and isinstance(value, str | None)
        }
        if row.get("kalshi_ticker") and row.get("polymarket_id"):
            yield row


def _kalshi(row: Mapping[str, str]) -> Listing:
    ticker = row["kalshi_ticker"]
    return Listing(
        venue="kalshi",
        market_id=ticker,
        title=row.get("kalshi_title", ""),
        subtitle=row.get("kalshi_subtitle", ""),
        rules=row.get("kalshi_rules", ""),
        close=_time(row.get("kalshi_close", "")),
        event_id=row.get("kalshi_event", "") or ticker.rpartition("-")[0],
        reference=ticker,
        paid=_paid(row.get("kalshi_result", "")),
    )


def _polymarket(row: Mapping[str, str]) -> Listing:
    name, kind = row["polymarket_id"], row.get("polymarket_kind", "")
    return Listing(
        venue="polymarket",
        market_id=f"{name} {kind}" if kind else name,
        title=row.get("polymarket_question", ""),
        rules=row.get("polymarket_rules", ""),
        close=_time(row.get("polymarket_close", "")),
        event_id=row.get("polymarket_event", ""),
        reference=name,
        kind=kind,
        paid=_paid(row.get("polymarket_result", "")),
    )


def _label(text: str, path: Path) -> bool:
    lowered = text.casefold()
    if lowered not in _TRUE | _FALSE:
        raise ConfigError(f"{path}: label {sanitise(text, 40)!r} is neither 1 nor 0")
    return lowered in _TRUE


def _paid(text: str) -> int | None:
    """Return what the YES of a market paid (micros): ``yes``, ``no`` or a price; None for another text, as for none."""
    lowered = text.casefold()
    if lowered in ("yes", "no"):
        return MICROS if lowered == "yes" else 0
    try:
        return parse_micros(lowered)
    except ValueError:
        return None


def _time(text: str) -> int | None:
    """Return an ISO 8601 time in ns UTC, None for another text; a date alone is its midnight."""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return int(moment.timestamp()) * 10**9
