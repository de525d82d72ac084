"""Pages of the listing: read at once or row by row, with the same rows."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.venues.polymarket.gamma_page import ListingPage, UnreadableRow, read_listing
from predsurv.venues.polymarket.gamma_row import ReadRow, read_row
from tests.kit.payloads import Payloads
from tests.kit.polymarket_rows import rows_of as recorded

GOOD: dict[str, Any] = {"conditionId": "0xc1", "question": "Will it?", "volumeNum": 1.5, "events": [{"id": "7"}]}


def page(*rows: Any, cursor: str | None = "x") -> bytes:
    return json.dumps({"markets": list(rows), "next_cursor": cursor}).encode()


def rows_of(found: ListingPage) -> list[ReadRow]:
    assert all(isinstance(row, ReadRow) for row in found.rows)
    return [row for row in found.rows if isinstance(row, ReadRow)]


def test_a_page_has_its_rows_in_order_and_the_next_cursor() -> None:
    found = read_listing(page(GOOD, {**GOOD, "conditionId": "0xc2"}))
    assert [row.row.condition_id for row in rows_of(found)] == ["0xc1", "0xc2"]
    assert (found.next_cursor, found.mended) == ("x", "")
    assert read_listing(page(cursor=None)) == ListingPage([], None)


def test_recorded_rows_are_read_alike_at_once_and_one_by_one(payloads: Payloads) -> None:
    rows = [row for _, row in recorded(payloads)]
    found = read_listing(page(*rows))
    assert rows_of(found) == [read_row(json.dumps(row).encode()) for row in rows]


VALUES: st.SearchStrategy[Any] = st.sampled_from([None, True, "true", 1, "1.5", "", [], {}, "Delay", ["a"], "0xc1"])
FIELDS = st.sampled_from(["conditionId", "active", "events", "tags", "volumeNum", "secondsDelay", "endDate"])


@given(st.lists(st.dictionaries(FIELDS, VALUES) | VALUES, max_size=4))
def test_any_row_is_read_as_if_it_stood_alone(rows: list[Any]) -> None:
    found = read_listing(page(*rows))
    assert len(found.rows) == len(rows)
    for got, row in zip(found.rows, rows, strict=True):
        if isinstance(got, UnreadableRow):
            with pytest.raises(ValueError, match=re.escape(got.detail)):
                read_row(json.dumps(row).encode())
        else:
            assert got == read_row(json.dumps(row).encode())


def test_a_delay_of_takers_is_found() -> None:
    (plain, delayed) = rows_of(read_listing(page(GOOD, {**GOOD, "secondsDelay": 3})))
    assert not plain.delays
    assert {name: bytes(raw) for name, raw in delayed.delays.items()} == {"secondsDelay": b"3"}


def test_a_row_that_is_no_market_costs_no_other() -> None:
    found = read_listing(page(GOOD, [1], GOOD))
    good, bad, other = found.rows
    assert isinstance(good, ReadRow)
    assert good == other
    assert isinstance(bad, UnreadableRow)
    assert (bad.detail != "", bad.events) == (True, set())


def test_a_field_of_another_type_is_named_and_costs_nothing_else() -> None:
    (first, second) = rows_of(read_listing(page({**GOOD, "question": 5}, GOOD)))
    assert list(first.unreadable) == ["question"]
    assert (first.row.condition_id, first.row.question) == ("0xc1", None)
    assert not second.unreadable


def test_a_torn_character_is_mended_and_told() -> None:
    (row,) = rows_of(read_listing(page(GOOD).replace(b"Will it?", b"Will \xff?")))
    assert row.row.question == "Will \N{REPLACEMENT CHARACTER}?"
    assert list(row.unreadable) == ["text"]
    found = read_listing(page(GOOD, cursor="here").replace(b"here", b"he\xffre"))
    assert (len(rows_of(found)), found.next_cursor) == (1, "he\N{REPLACEMENT CHARACTER}re")
    assert found.mended


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"markets":{}}', b'{"markets":[],"next_cursor":5}'])
def test_what_is_no_page_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"truncated|malformed|Expected|missing"):
        read_listing(body)
