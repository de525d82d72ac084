"""What a suspended pair was approved with: the record of a market whose fingerprint is the approved one."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.mapping import MappedMarket
from predsurv.core.market import Market
from predsurv.store.listing_history import versions
from predsurv.store.universe import iso_time, lines_of, to_market, universe_files

FILES_MAX: Final = 400
"""Universe files of a venue, newest first, in which the approved record is looked for."""


class ApprovedRecord(Struct, frozen=True):
    """A market as it was approved and as it is listed now.

    ``approved``: None where no list that is kept has it; its ``description`` is None where only the text of later rules
    is kept. ``changed``: what of the approved terms differs, in words, empty without an approved record.
    """

    approved: Market | None
    listed: Market
    changed: tuple[str, ...]


def approved_record(data_dir: Path, side: MappedMarket, listed: Market) -> ApprovedRecord:
    """Return what a market was approved with, from the universe files that are kept; missing lines are skipped."""
    for path in list(reversed(universe_files(data_dir, side.venue).values()))[:FILES_MAX]:
        for market in _records(path, side):
            if side.holds_for(market):
                return ApprovedRecord(market, listed, tuple(changes(market, listed)))
    return ApprovedRecord(None, listed, ())


def _records(path: Path, side: MappedMarket) -> Iterator[Market]:
    """Yield what a day's list said of a market, the latest first; the text of rules is that of the latest."""
    for line in lines_of(path, frozenset({side.market_id})):
        told = [to_market(each) for each in versions(line)]
        latest = told[-1]
        for market in reversed(told):
            yield market if market.rules_hash == latest.rules_hash else replace(market, description=None)


def changes(before: Market, after: Market) -> Iterator[str]:
    """Yield what of the terms of a market differs, in words; the rules themselves are for a person to read."""
    if before.question != after.question:
        yield f"question: {before.question} → {after.question}"
    if before.close_time != after.close_time:
        yield f"close: {_time(before.close_time)} → {_time(after.close_time)}"
    if before.market_type != after.market_type:
        yield f"payoff: {before.market_type} → {after.market_type}"
    if before.outcomes != after.outcomes:
        yield f"outcomes: {_labels(before)} → {_labels(after)}"
    if before.rules_hash != after.rules_hash:
        yield "rules or their source"


def _time(ts: int | None) -> str:
    return "not stated" if ts is None else iso_time(ts)


def _labels(market: Market) -> str:
    return " / ".join(f"{each.label} ({each.instrument_id})" for each in market.outcomes)


def in_words(records: Iterable[ApprovedRecord]) -> Sequence[str]:
    """Return a line for each market that changed: what did, or that the approved record is not kept."""
    return [
        f"{each.listed.market_id}: {'; '.join(each.changed) or 'its approved record is not kept, read it anew'}"
        for each in records
    ]
