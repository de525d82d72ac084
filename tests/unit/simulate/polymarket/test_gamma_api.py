"""Gamma answers by id, slug and tag, in pages by offset and cursor, and ignores what it cannot read."""

import json
from typing import Any

import pytest

from predsurv.simulate.polymarket.gamma_api import DEEPEST_OFFSET, GammaApi
from predsurv.simulate.polymarket.simulator import PolymarketSimulator
from predsurv.simulate.server import ServerResponse
from tests.kit.desk_polymarket import server_request, silent_simulator


class AskedGamma:
    """Gamma of a venue that listens nowhere, with one row that is no market's."""

    def __init__(self, simulator: PolymarketSimulator) -> None:
        self.rows, self.events = simulator.catalog.rows, simulator.catalog.events
        self._api = GammaApi(simulator.catalog, simulator.books, [{"id": "no market", "closed": False}])

    def ask(self, path: str, method: str = "GET", **query: str) -> ServerResponse:
        answer = self._api.respond(server_request(method, path, query))
        assert answer is not None, path
        return answer

    def get(self, path: str, **query: str) -> Any:
        answer = self.ask(path, **query)
        assert answer.status == 200, answer
        return json.loads(answer.body)

    def ids(self, **query: str) -> list[str]:
        """Return the ids of the markets of one page."""
        return [row["id"] for row in self.get("/markets", **query)]


@pytest.fixture(scope="module")
def gamma() -> AskedGamma:
    return AskedGamma(silent_simulator())


def test_only_gets_are_answered(gamma: AskedGamma) -> None:
    answer = gamma.ask("/markets", "POST")
    assert (answer.status, json.loads(answer.body)["error"]) == (405, "method not allowed")


def test_a_market_is_found_by_number_and_slug(gamma: AskedGamma) -> None:
    row = gamma.rows[3]
    by_number, by_slug = gamma.get(f"/markets/{row.number}"), gamma.get(f"/markets/slug/{row.slug}")
    assert by_number == by_slug
    assert (by_number["id"], by_number["conditionId"]) == (str(row.number), row.condition)
    assert "tags" not in by_number
    tags = gamma.get(f"/markets/{row.number}/tags")
    assert gamma.get(f"/markets/{row.number}", include_tag="true")["tags"] == tags
    assert [tag["label"] for tag in tags] == [*row.market.tags]


def test_an_event_is_found_by_number_and_slug(gamma: AskedGamma) -> None:
    event = gamma.events[1]
    by_number, by_slug = gamma.get(f"/events/{event.number}"), gamma.get(f"/events/slug/{event.slug}")
    assert by_number == by_slug
    assert [row["id"] for row in by_number["markets"]] == [str(row.number) for row in event.markets]
    assert gamma.get(f"/events/{event.number}/tags") == by_number["tags"]


@pytest.mark.parametrize(
    "path", ["/markets/1", "/markets/slug/none", "/markets/no-number", "/events/1", "/events/slug/none", "/events/x"]
)
def test_what_is_not_listed_is_not_found(gamma: AskedGamma, path: str) -> None:
    answer = gamma.ask(path)
    assert (answer.status, json.loads(answer.body)) == (404, {"type": "not found error", "error": "id not found"})


def test_pages_by_offset_end_at_the_deepest(gamma: AskedGamma) -> None:
    first, second = gamma.ids(limit="3"), gamma.ids(limit="3", offset="3")
    assert first + second == [str(row.number) for row in gamma.rows[:6]]
    assert gamma.ids(offset=str(DEEPEST_OFFSET)) == []
    events = gamma.get("/events", limit="2", offset="1")
    assert [event["id"] for event in events] == [str(event.number) for event in gamma.events[1:3]]
    for path in ("/markets", "/events"):
        refused = gamma.ask(path, offset=str(DEEPEST_OFFSET + 1))
        assert refused.status == 422
        assert json.loads(refused.body)["error"].startswith("offset too large")


def test_events_are_chosen_by_id_and_slug(gamma: AskedGamma) -> None:
    event = gamma.events[2]

    def found(**query: str) -> list[str]:
        return [each["id"] for each in gamma.get("/events/keyset", closed="", **query)["events"]]

    assert found(id=str(event.number)) == found(slug=event.slug) == [str(event.number)]
    assert found(id=str(event.number), slug=gamma.events[1].slug) == []
    (row,) = gamma.get("/events/keyset", id=str(event.number), closed="", include_markets="false")["events"]
    assert "markets" not in row


def test_markets_are_chosen_by_tag(gamma: AskedGamma) -> None:
    tag = next(iter(gamma.get("/tags", limit="1")))
    found = gamma.ids(tag_id=tag["id"], limit="100")
    assert found == [str(row.number) for row in gamma.rows if tag["label"] in row.market.tags]
    assert found
    assert gamma.ids(tag_id="none") == []


@pytest.mark.parametrize(("bound", "field"), [("volume_num", "volumeNum"), ("liquidity_num", "liquidityNum")])
def test_markets_are_bound_by_volume_and_liquidity(gamma: AskedGamma, bound: str, field: str) -> None:
    every = {row["id"]: row[field] for row in gamma.get("/markets", limit="100")}
    middle = sorted(every.values())[len(every) // 2]
    low, high = f"{bound}_min", f"{bound}_max"
    assert gamma.ids(limit="100", **{low: str(middle)}) == [each for each, value in every.items() if value >= middle]
    assert gamma.ids(limit="100", **{high: str(middle)}) == [each for each, value in every.items() if value <= middle]
    assert len(gamma.ids(limit="100", **{low: str(middle), high: str(middle)})) >= 1


@pytest.mark.parametrize(
    "query",
    [
        {"volume_num_min": "many"},
        {"volume_num_max": ""},
        {"end_date_min": "soon"},
        {"limit": "0x10"},
        {"offset": "-1"},
        {"closed": "maybe"},
        {"no_parameter": "1"},
    ],
)
def test_what_cannot_be_read_is_ignored(gamma: AskedGamma, query: dict[str, str]) -> None:
    assert gamma.ids(**query) == gamma.ids()


def test_limits_are_clamped(gamma: AskedGamma) -> None:
    assert len(gamma.ids(limit="0")) == 1
    assert gamma.ids(limit="5000") == gamma.ids(limit="100")


@pytest.mark.parametrize("cursor", ["!", "é", "bm8=", "W10=", "WzEsInoiXQ==", "/w=="])
def test_a_cursor_that_is_none_is_the_first_page(gamma: AskedGamma, cursor: str) -> None:
    def markets(**query: str) -> list[str]:
        return [row["id"] for row in gamma.get("/markets/keyset", limit="3", **query)["markets"]]

    assert markets(after_cursor=cursor) == [str(row.number) for row in gamma.rows[:3]]
    assert markets()[1] == "no market", "the first page has a row that is no market's"


@pytest.mark.parametrize(("order", "field"), [("volumeNum", "volumeNum"), ("endDate", "endDate"), ("nonsense", "id")])
def test_pages_by_cursor_keep_their_order(gamma: AskedGamma, order: str, field: str) -> None:
    seen, cursor = list[dict[str, Any]](), ""
    while True:
        more = {"after_cursor": cursor} if cursor else {}
        page = gamma.get("/markets/keyset", limit="7", order=order, ascending="false", **more)
        seen += [row for row in page["markets"] if row["id"] != "no market"]
        cursor = page.get("next_cursor", "")
        if not cursor:
            break
    values = [row[field] or "" for row in seen]
    assert values == sorted(values, reverse=True)
    assert {row["id"] for row in seen} == {str(row.number) for row in gamma.rows}
    assert len(seen) == len(gamma.rows)
