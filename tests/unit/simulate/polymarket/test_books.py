import json
from typing import get_args

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.ids import Side
from predsurv.core.num import MICROS, Price, Size, parse_micros
from predsurv.simulate.polymarket.books import BestPrices, LastTradeForm, TokenPairBook, levels
from tests.kit.oracle_polymarket import book_hash
from tests.kit.payloads import Payloads

TICK = 10_000


def empty_book() -> TokenPairBook:
    return TokenPairBook("0xa1", ("11", "22"), 1_000, min_order_size=5 * MICROS, tick_size=TICK, neg_risk=False)


def test_book_hashes_are_those_of_recorded_books(payloads: Payloads) -> None:
    vectors = payloads.load("polymarket/book_hash_vectors.json")
    first, second = vectors[1:3]  # both tokens of one market
    assert first["market"] == second["market"]
    book = TokenPairBook(
        first["market"],
        (first["asset_id"], second["asset_id"]),
        int(first["timestamp"]),
        min_order_size=5 * MICROS,
        tick_size=TICK,
        neg_risk=False,
    )
    sides = (
        [(Price(parse_micros(e["price"])), Size(parse_micros(e["size"]))) for e in first[s]] for s in ("bids", "asks")
    )
    book.load(*sides)
    assert [book.hash(0).decode(), book.hash(1).decode()] == [first["hash"], second["hash"]]


def test_a_summary_has_the_venues_fields_and_its_own_hash() -> None:
    book = empty_book()
    book.load(
        [(Price(480_000), Size(30_000_000)), (Price(100_000), Size(1_350_600_000))],
        [(Price(520_000), Size(503_320_000))],
    )
    book.set_last_price(850_000)
    book.end_burst(1_234)
    summary = json.loads(book.summary(0))
    assert summary["hash"] == book_hash(summary)
    assert list(summary) == [
        "market", "asset_id", "timestamp", "hash", "bids", "asks",
        "min_order_size", "tick_size", "neg_risk", "last_trade_price",
    ]  # fmt: skip
    assert summary["bids"] == [{"price": "0.1", "size": "1350.6"}, {"price": "0.48", "size": "30"}]
    assert (summary["timestamp"], summary["min_order_size"], summary["tick_size"], summary["neg_risk"]) == (
        "1234",
        "5",
        "0.01",
        False,
    )
    assert summary["last_trade_price"] == "0.850"
    other = json.loads(book.summary(1))
    assert other["asks"] == [{"price": "0.9", "size": "1350.6"}, {"price": "0.52", "size": "30"}]
    assert (other["bids"], other["last_trade_price"]) == ([{"price": "0.48", "size": "503.32"}], "0.150")
    assert other["hash"] == book_hash(other)


def test_a_finer_tick_changes_the_hash() -> None:
    book = empty_book()
    before = book.hash(0)
    book.set_tick_size(1_000)
    assert book.hash(0) != before
    assert json.loads(book.summary(0))["tick_size"] == "0.001"


def test_a_book_writes_its_last_trade_price_in_the_form_asked_for() -> None:
    written: dict[str, list[str]] = {}
    for form in get_args(LastTradeForm):
        book = TokenPairBook(
            "0xa1", ("11", "22"), 1_000, min_order_size=5, tick_size=2_500, neg_risk=False, last_trade_form=form
        )
        book.set_last_price(422_500)
        book.end_burst(1_001)
        written[form] = [msgspec.json.decode(book.summary(outcome))["last_trade_price"] for outcome in (0, 1)]
    assert written == {
        "rounded": ["0.423", "0.578"],
        "cut": ["0.422", "0.577"],
        "four_decimals": ["0.4225", "0.5775"],
        "shortest": ["0.4225", "0.5775"],
    }


def test_best_prices_say_zero_and_one_for_an_empty_side() -> None:
    book = empty_book()
    assert (book.best(0), book.best(1)) == (BestPrices(b"0", b"1"), BestPrices(b"0", b"1"))
    book.set("bid", Price(480_000), 1)
    assert (book.best(0), book.best(1)) == (BestPrices(b"0.48", b"1"), BestPrices(b"0", b"0.52"))


CHANGES = st.lists(
    st.tuples(st.sampled_from(["bid", "ask"]), st.integers(1, 99), st.sampled_from([0, 1_000_000, 2_500_000])),
    max_size=60,
)


@given(CHANGES)
def test_both_tokens_always_mirror_each_other_and_the_plain_book(changes: list[tuple[Side, int, int]]) -> None:
    book, plain = empty_book(), dict[tuple[Side, int], int]()
    for number, (side, ticks, size) in enumerate(changes):
        changed = book.set(side, Price(ticks * TICK), size)
        assert changed == (plain.get((side, ticks * TICK), 0) != size)
        plain[side, ticks * TICK] = size
        book.end_burst(number)
        first, second = (msgspec.json.decode(book.summary(outcome)) for outcome in (0, 1))
        assert first["hash"] == book_hash(first)
        assert second["hash"] == book_hash(second)
        mirrored = [{"price": str(1_000 - round(float(e["price"]) * 1_000)), "size": e["size"]} for e in first["asks"]]
        assert mirrored == [{"price": str(round(float(e["price"]) * 1_000)), "size": e["size"]} for e in second["bids"]]
    held = {
        (side, price): size
        for side, book_side in (("bid", book.bids), ("ask", book.asks))
        for price, size in levels(book_side)
    }
    assert held == {level: size for level, size in plain.items() if size}
    assert [price for price, _ in levels(book.bids)] == sorted(price for side, price in held if side == "bid")
    assert [price for price, _ in levels(book.asks)] == sorted((p for side, p in held if side == "ask"), reverse=True)
