"""What a suspended pair was approved with, from the lists that are kept."""

from pathlib import Path

from msgspec.structs import replace

from predsurv.core.mapping import MappedMarket, terms_fingerprint
from predsurv.core.market import Market
from predsurv.mapping.approved_terms import approved_record, in_words
from predsurv.store.listing_history import merge_lines
from predsurv.store.universe import format_line, parse_iso, to_line
from tests.kit.mapping_universes import market, write_universe

CLOSE = "2026-12-31T00:00:00Z"
BEFORE = market("kalshi", "KX-1", "Will it end?", "If it ends by noon ET.", CLOSE)
NOW = replace(
    market("kalshi", "KX-1", "Will it end soon?", "If it ends by noon PT.", "2027-01-31T00:00:00Z"),
    rules_hash="another",
    fetched_at=parse_iso("2025-12-01T10:00:00Z"),
)


def side(approved: Market) -> MappedMarket:
    yes, no = (each.instrument_id for each in approved.outcomes)
    return MappedMarket(approved.venue, approved.market_id, (yes, no), terms_fingerprint(approved))


def test_the_record_is_that_of_the_list_with_the_approved_fingerprint(tmp_path: Path) -> None:
    write_universe(tmp_path, [BEFORE], "2025-11-29")
    write_universe(tmp_path, [replace(BEFORE, question="Will it ever end?")], "2025-11-30")
    write_universe(tmp_path, [NOW], "2025-12-01")
    found = approved_record(tmp_path, side(BEFORE), NOW)
    assert found.approved is not None
    assert found.approved.description == "If it ends by noon ET."
    assert found.changed == (
        "question: Will it end? → Will it end soon?",
        "close: 2026-12-31T00:00:00Z → 2027-01-31T00:00:00Z",
        "rules or their source",
    )


def test_rules_that_were_replaced_within_a_day_have_no_text_rather_than_the_later_one(tmp_path: Path) -> None:
    path = write_universe(tmp_path, [BEFORE], "2025-12-01")
    path.write_bytes(format_line(merge_lines(to_line(BEFORE), to_line(NOW))))
    found = approved_record(tmp_path, side(BEFORE), NOW)
    assert found.approved is not None
    assert (found.approved.question, found.approved.description) == ("Will it end?", None)


def test_a_record_that_no_list_has_is_said_to_be_missing(tmp_path: Path) -> None:
    write_universe(tmp_path, [NOW], "2025-12-01")
    found = approved_record(tmp_path, side(BEFORE), NOW)
    assert found.approved is None
    assert in_words([found]) == ["KX-1: its approved record is not kept, read it anew"]
