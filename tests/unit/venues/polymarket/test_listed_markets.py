"""The parser of a whole page: markets that are equal to those of the parser of a row, or left to that."""

import json
import random
from collections.abc import Mapping
from typing import Any, Final

import pytest

from predsurv.core.errors import WireError
from predsurv.core.native import speedups
from predsurv.venues.polymarket.gamma_page import UnreadableRow, read_listing
from predsurv.venues.polymarket.listed_markets import usual_markets
from predsurv.venues.polymarket.market_parser import ParsedMarket, parse_market
from tests.kit.payloads import Payloads
from tests.kit.polymarket_rows import rows_of

NOW: Final = 1_790_000_000_123_456_789
MUTANTS: Final = 3_000
compiled: Final = pytest.mark.skipif(speedups is None, reason="without the compiled parser each row is left")

USUAL: Final[Mapping[str, Any]] = {
    "question": "Will it?",
    "conditionId": f"0x{5:064x}",
    "slug": "will-it",
    "endDate": "2027-12-31T00:00:00Z",
    "gameStartTime": "2026-10-11 14:00:00+00",
    "outcomes": '["Yes", "No"]',
    "clobTokenIds": '["111", "222"]',
    "positionIds": '["333","444"]',
    "volumeNum": 1234.56789123,
    "volume": "1234.56",
    "volume24hr": 7,
    "liquidityNum": 0,
    "orderPriceMinTickSize": 0.001,
    "orderMinSize": 5,
    "rewardsMinSize": 50,
    "rewardsMaxSpread": 3.5,
    **dict.fromkeys(("active", "enableOrderBook", "acceptingOrders", "feesEnabled"), True),
    **dict.fromkeys(("closed", "archived", "negRisk"), False),
    "feeSchedule": {"exponent": 1, "rate": 0.04, "takerOnly": True, "rebateRate": 0.25},
    "events": [
        {
            "id": "7",
            "slug": "event-7",
            "title": "An event",
            "negRisk": True,
            "negRiskAugmented": False,
            "series": [{"id": "99"}],
            "tags": [{"label": "Sport"}],
        }
    ],
    "tags": [{"label": "Thing"}, {"label": "Politics"}, {"label": None}, {"label": ""}],
    "description": "It resolves to Yes if it does — “exactly” then.\nElse to No. 🎲",
    "resolutionSource": "https://example.com/",
}
LONG: Final = "Wird es — oder “nicht”? " * 400
WORDS: Final[tuple[Any, ...]] = (
    *(None, True, False, "", " ", "x", "é", "🎲", "0", 0, 1, 5, -1, "-1", 0.5, "0.25", "1.2345678", 1.2345678, 1e-7),
    *(1e22, "1e3", "NaN", "Infinity", "1_000", ".5", "5.", "007", "123456789012", "1234567890123", 10**15, "9" * 40),
    *(
        "v1",
        "v2",
        "v3",
        "resolved",
        "settled",
        "disputed",
        "normal",
        "combo",
        "perpetual",
        "true",
        "null",
        "a/b",
        "A-b_9",
    ),
    *(LONG, LONG[:512], LONG[:513], "y" * 256, "y" * 257, "y" * 8_192, "y" * 8_193, "\x00", "\x7f", "a\nb", '"', "\\"),
    *([], {}, [1], ["a", "b"], ["a", "a"], ["a", ""], ["a"], ["a", "b", "c"], ["é", "b"], '["a","b"]', '["a", "b"] '),
    *('["a" , "b"]', '["a\\"", "b"]', '["é", "\\u00e9"]', "[]", '["a",]', '["a", "b"', '"', [{}], [None], [[]]),
    *("2027-01-01", "2027-01-01T00:00:00.123456Z", "1960-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2027-13-01"),
    *([{"id": "8"}], [{"id": None, "slug": "é"}], [{"id": "a b"}], [{"series": []}], [{"negRiskAugmented": True}]),
    *([{"label": "CRYPTO"}], [{"label": LONG}], [{"label": "a"}] * 40, {"rate": 0.07}, {"rate": 2, "exponent": 1}),
    *({"rate": "0.0000001", "exponent": 2}, {"rate": 0.04, "exponent": 0.5}, {"rate": None}, {"rate": "x" * 80}),
)


def page_of(rows: list[Any]) -> bytes:
    return json.dumps({"markets": rows}, ensure_ascii=False).encode("utf-8", "surrogatepass")


def expected(read: Any) -> ParsedMarket | str:
    try:
        return parse_market(read, NOW)
    except (WireError, ValueError, RecursionError) as error:
        return str(error)


def assert_alike(rows: list[Any]) -> int:
    """Compare the rows of a page; return how many were not left to the parser of a row."""
    found = read_listing(page_of(rows)).rows
    taken = 0
    for read, market in zip(found, usual_markets(found, NOW), strict=True):
        if isinstance(read, UnreadableRow):
            assert market is None
        elif market is not None:
            taken += 1
            assert ParsedMarket(market, "", {}) == expected(read)
    return taken


def mutant(row: Mapping[str, Any], chance: random.Random) -> dict[str, Any]:
    made = dict(row)
    for _ in range(chance.choice((0, 1, 1, 1, 2, 5))):
        place = made
        if chance.random() < 0.2 and isinstance(made.get("events"), list) and made["events"]:
            place = dict(made["events"][0]) if isinstance(made["events"][0], dict) else {}
            made["events"] = [place, *made["events"][1:]]
        name = chance.choice([*place, "secondsDelay", "marketType", "version", "rfqEnabled", "umaResolutionStatus"])
        if chance.random() < 0.2:
            place.pop(name, None)
        else:
            place[name] = chance.choice(WORDS)
    return made


@compiled
def test_a_usual_row_is_taken() -> None:
    assert assert_alike([USUAL, {**USUAL, "version": "v2"}, {**USUAL, "secondsDelay": 3}]) == 3


@compiled
@pytest.mark.parametrize("field", sorted(USUAL))
def test_a_row_with_any_value_in_a_field_is_read_alike(field: str) -> None:
    assert_alike([{**USUAL, field: value} for value in WORDS])
    assert_alike([{name: value for name, value in USUAL.items() if name != field}])


@compiled
def test_mutants_are_read_alike() -> None:
    chance = random.Random(7)
    taken = sum(assert_alike([mutant(USUAL, chance) for _ in range(100)]) for _ in range(MUTANTS // 100))
    assert taken > MUTANTS / 3


@compiled
def test_mutants_of_recorded_rows_are_read_alike(payloads: Payloads) -> None:
    chance, rows = random.Random(8), [row for _, row in rows_of(payloads)]
    assert_alike(rows)
    for _ in range(MUTANTS // 100):
        assert_alike([mutant(chance.choice(rows), chance) for _ in range(100)])


def test_what_is_no_row_is_left() -> None:
    assert usual_markets(read_listing(page_of([[1], 5, {}])).rows, NOW) == [None, None, None]


@compiled
def test_a_fee_is_of_the_time_at_which_it_was_read() -> None:
    found = read_listing(page_of([USUAL, USUAL])).rows
    for now in (NOW, NOW + 1):
        assert [market and market.fee.since for market in usual_markets(found, now)] == [now, now]
