"""Write the own Polymarket stream frames, whose hashes have to fit their books.

``python -m tests.data.make_polymarket``. Every value is invented; the hashes come from the recipe of the test oracle,
which shares no code with the package. A test checks that the committed files are what this writes.
"""

import json
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.kit.oracle_polymarket import book_hash

FOLDER = Path(__file__).resolve().parent / "polymarket"
START_MS = 1_830_000_000_000
RULES = {"min_order_size": "5", "tick_size": "0.01", "neg_risk": False}
"""What a book's hash covers and no stream frame states."""

Book = dict[str, Any]
Levels = list[dict[str, str]]


def condition(name: str) -> str:
    """Return a condition id, a transaction hash or the like: 32 bytes in hexadecimal."""
    return f"0x{sha256(f'own {name}'.encode()).hexdigest()}"


def token(name: str) -> str:
    """Return a token id: a 256-bit number in decimal."""
    return str(int(condition(f"token {name}"), 16) | 1 << 255)


def level(tick: int, cents: int) -> dict[str, str]:
    """Return a level at ``tick`` hundredths of a dollar with ``cents`` hundredths of a share."""
    return {"price": _decimal(tick), "size": _decimal(cents)}


def mirrored(levels: Levels) -> Levels:
    """Return the levels that the other token of the market has on its other side."""
    return [level(100 - round(float(each["price"]) * 100), round(float(each["size"]) * 100)) for each in levels]


def book(name: str, asset: str, stamp: int, sides: tuple[Levels, Levels], last: str) -> Book:
    """Return a book summary with its hash; ``sides`` are bids and asks, both worst first."""
    bids, asks = sides
    made: dict[str, Any] = {"market": condition(name), "asset_id": asset, "timestamp": str(stamp), "hash": ""}
    made |= {"bids": bids, "asks": asks, **RULES, "last_trade_price": last}
    return {**made, "hash": book_hash(made)}


def opening(summary: Book) -> Book:
    """Return ``summary`` as a connection first gets it."""
    named = ("market", "asset_id", "timestamp", "hash", "bids", "asks", "tick_size")
    return {**_only(summary, named), "event_type": "book", "last_trade_price": summary["last_trade_price"]}


def entry(summary: Book, side: str, changed: Mapping[str, str]) -> dict[str, str]:
    """Return the part of a price change that says what became of one level of the book ``summary``."""
    best = {"best_bid": summary["bids"][-1]["price"], "best_ask": summary["asks"][-1]["price"]}
    return {"asset_id": summary["asset_id"], **changed, "side": side, "hash": summary["hash"], **best}


def change(name: str, stamp: int, entries: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Return a price change."""
    kind = {"timestamp": str(stamp), "event_type": "price_change"}
    return {"market": condition(name), "price_changes": list(entries), **kind}


def files() -> dict[str, str]:
    """Return the text of every file by its path below the folder."""
    found = {f"captured/ws_market_own_{name}": text for name, text in _captured().items()}
    samples = {**_samples(), **_sample_books()}
    return found | {f"adapter_samples/{name}.json": _indented(value) for name, value in samples.items()}


def vectors() -> list[Book]:
    """Return books with the hashes they have, both tokens of one market at 1 and 2, one book before and after."""
    toy = ([level(22, 7_500), level(31, 7_500)], [level(66, 7_500), level(58, 7_500)])
    market: dict[str, Any] = {
        "market": "0xf0e1",
        "asset_id": "700",
        "timestamp": "987654321",
        "hash": "",
        "bids": toy[0],
    }
    market |= {"asks": toy[1], **RULES, "min_order_size": "20", "last_trade_price": "0.4"}
    found = [("a short made-up book", {**market, "hash": book_hash(market)})]
    found += [("ws_market_own_opening_books.json", each) for each in _ferry()]
    before, after, _ = _lighthouse()
    found += [("ws_market_own_opening_book.json", before), ("the same after ws_market_own_price_change.json", after)]
    return [
        {"source": source, **{name: each[name] for name in sorted(each, key="hash".__eq__)}} for source, each in found
    ]


def write() -> None:
    """Write all of them."""
    for name, text in files().items():
        (FOLDER / name).write_text(text)
    (FOLDER / "book_hash_vectors.json").write_text(json.dumps(vectors()))


def _ferry() -> tuple[Book, Book]:
    """Return the books of both tokens of a thin market nobody traded in."""
    bids = [level(tick, cents) for tick, cents in ((2, 9_107), (5, 41_000), (6, 2_240), (9, 23_500))]
    asks = [level(tick, cents) for tick, cents in ((97, 7_733), (96, 4_415), (91, 5_500), (88, 1_260), (73, 800))]
    first = book("ferry", token("ferry yes"), START_MS, (bids, asks), "")
    other = book("ferry", token("ferry no"), START_MS, (mirrored(asks), mirrored(bids)), "")
    return first, other


def _lighthouse() -> tuple[Book, Book, dict[str, Any]]:
    """Return a deep book, the same book 7 ms later, and the price change between them."""
    stamp = START_MS + 61_403
    bids = [level(tick, _cents("lighthouse bid", tick)) for tick in range(1, 22)]
    asks = [level(tick, _cents("lighthouse ask", tick)) for tick in range(98, 21, -1)]
    asset, last = token("lighthouse no"), "0.780"
    before = book("lighthouse", asset, stamp, (bids, asks), last)
    fresh = level(22, 71_845)
    after = book("lighthouse", asset, stamp + 7, (bids, [*asks[:-1], fresh]), last)
    sides = (mirrored([*asks[:-1], fresh]), mirrored(bids))
    sibling = book("lighthouse", token("lighthouse yes"), stamp + 7, sides, "0.220")
    entries = [entry(sibling, "BUY", mirrored([fresh])[0]), entry(after, "SELL", fresh)]
    return before, after, change("lighthouse", stamp + 7, entries)


def _captured() -> dict[str, str]:
    """Return the frames as the venue writes them: compact, or with a space after commas or after some colons."""
    before, _, moved = _lighthouse()
    later = book("orchard", token("orchard yes"), START_MS - 86_400_713, _orchard(), "0.430")
    named = ("market", "asset_id", "bids", "asks", "hash", "timestamp")
    return {
        "opening_books.json": _compact([opening(each) for each in _ferry()]),
        "opening_book.json": _compact([opening(before)]),
        "price_change.json": json.dumps(moved, separators=(", ", ":")),
        "later_book.json": json.dumps({**_only(later, named), "event_type": "book"}, separators=(", ", ":")) + "\n",
        "spaced_price_change.json": _spaced(_regatta()) + "\n",
        "last_trade_price.json": _compact(_trade("kiln", "0.37", "45", "SELL")) + "\n",
        "market_resolved.json": _compact(_resolved("tram", ["Transit", "Short", "Hide From Front"])) + "\n",
        "conformance.jsonl": "".join(f"{_compact(frame)}\n" for frame in _conformance()),
    }


def _orchard() -> tuple[Levels, Levels]:
    bids = [level(tick, _cents("orchard bid", tick)) for tick in range(1, 43)]
    return bids, [level(tick, _cents("orchard ask", tick)) for tick in range(99, 42, -1)]


def _regatta() -> dict[str, Any]:
    """Return a change far from the best prices of a market."""
    stamp = START_MS + 9_000_811
    bids, fresh = [level(33, 8_800), level(61, 12_050)], level(33, 8_800)
    asks = [level(80, 2_000), level(62, 3_175)]
    first = book("regatta", token("regatta yes"), stamp, (bids, asks), "0.610")
    other = book("regatta", token("regatta no"), stamp, (mirrored(asks), mirrored(bids)), "0.390")
    return change("regatta", stamp, [entry(first, "BUY", fresh), entry(other, "SELL", mirrored([fresh])[0])])


def _trade(name: str, price: str, size: str, side: str) -> dict[str, str]:
    what: dict[str, Any] = {
        "price": price,
        "size": size,
        "fee_rate_bps": "0",
        "side": side,
        "timestamp": str(START_MS + 5_129),
    }
    ids = {"market": condition(name), "asset_id": token(f"{name} yes")}
    return {**ids, **what, "event_type": "last_trade_price", "transaction_hash": condition(f"{name} trade")}


def _resolved(name: str, tags: list[str]) -> dict[str, Any]:
    pair = [token(f"{name} yes"), token(f"{name} no")]
    what: dict[str, Any] = {"id": "7340915", "market": condition(name), "assets_ids": pair, "winning_asset_id": pair[1]}
    what |= {"winning_outcome": "Late", "event_message": None, "timestamp": str(START_MS + 77_031)}
    return {**what, "event_type": "market_resolved", "tags": tags}


def _conformance() -> list[Any]:
    """Return one frame of each kind about one market, then a market that is new."""
    stamp, name = START_MS + 400_000, "canal"
    sides = ([level(39, 31_000), level(41, 14_000)], [level(47, 26_500), level(44, 9_900)])
    first = book(name, token("canal yes"), stamp, sides, "0.420")
    other = book(name, token("canal no"), stamp, (mirrored(sides[1]), mirrored(sides[0])), "0.420")
    about = {"market": condition(name), "asset_id": first["asset_id"]}
    best = {**about, "best_bid": "0.42", "best_ask": "0.44", "spread": "0.02"}
    tick = {**about, "old_tick_size": "0.01", "new_tick_size": "0.001"}
    return [
        [opening(first), opening(other)],
        {**best, "timestamp": str(stamp + 310), "event_type": "best_bid_ask"},
        _trade(name, "0.44", "17", "BUY"),
        {**tick, "timestamp": str(stamp + 620), "event_type": "tick_size_change"},
        {**_resolved(name, []), "winning_outcome": "No"},
        _announced(),
    ]


def _announced() -> dict[str, Any]:
    pair = [token("weathervane yes"), token("weathervane no")]
    what: dict[str, Any] = {
        "id": "8260144",
        "question": "Does the weathervane turn in spring?",
        "market": condition("weathervane"),
    }
    what |= {"slug": "own-weathervane-spring", "description": "Made up.", "assets_ids": pair, "outcomes": ["Yes", "No"]}
    what |= {"event_message": None, "timestamp": str(START_MS + 400_930), "event_type": "new_market", "tags": []}
    what |= {"condition_id": condition("weathervane"), "active": True, "clob_token_ids": pair}
    return {**what, "game_start_time": "2028-03-20 09:30:00+00", "order_price_min_tick_size": "0.01"}


def _samples() -> dict[str, Any]:
    """Return frames as documentation shows them: indented, other key orders, some without the kind."""
    about = {"market": condition("bakery"), "asset_id": token("bakery yes")}
    trade = {
        **about,
        "fee_rate_bps": "0",
        "price": "0.64",
        "side": "SELL",
        "size": "85.0",
        "timestamp": "1830000412000",
    }
    tick = {**about, "new_tick_size": "0.001", "old_tick_size": "0.01", "timestamp": "1830000413000"}
    entries = _bakery()
    quotes = {"market": about["market"], "price_changes": entries, "timestamp": "1830000411000"}
    best = {"best_bid": "0.31", "best_ask": "0.36", "spread": "0.05", "timestamp": "1830000414250"}
    return {
        "ws_last_trade": trade,
        "ws_market_last_trade_msg": {"event_type": "last_trade_price", **trade},
        "ws_tick_size_change": tick,
        "ws_market_tick_size_msg": {"event_type": "tick_size_change", **tick},
        "ws_quotes": quotes,
        "ws_market_price_change_msg": {"event_type": "price_change", **quotes, "price_changes": entries[:1]},
        "ws_market_best_bid_ask_msg": {"event_type": "best_bid_ask", **about, **best},
        "ws_market_new_market_msg": _announced_in_full(),
        "ws_market_resolved_msg": _ended_in_full(),
    }


def _bakery() -> list[dict[str, str]]:
    sides = ([level(62, 41_000), level(63, 33_000)], [level(66, 27_500), level(65, 9_500)])
    first = book("bakery", token("bakery yes"), 1_830_000_411_000, sides, "0.640")
    other = book("bakery", token("bakery no"), 1_830_000_411_000, (mirrored(sides[1]), mirrored(sides[0])), "0.360")
    said = (
        entry(first, "BUY", {"price": "0.63", "size": "330.0"}),
        entry(other, "SELL", {"price": "0.37", "size": "330.0"}),
    )
    order = ("asset_id", "price", "side", "size", "hash", "best_bid", "best_ask")
    return [_only(each, order) for each in said]


def _announced_in_full() -> dict[str, Any]:
    pair = [token("glacier yes"), token("glacier no")]
    rules = 'This resolves to "Yes" once the survey of Mount Ondry lists the lower glacier as gone, else to "No".'
    event = {"id": "904417", "ticker": "ondry-glacier", "slug": "ondry-glacier", "title": "Ondry glacier by ___?"}
    return {
        "event_type": "new_market",
        "id": "6620358",
        "question": "Is the lower Ondry glacier gone by 2041?",
        "market": condition("glacier"),
        "slug": "ondry-glacier-2041",
        "description": rules,
        "assets_ids": pair,
        "outcomes": ["Yes", "No"],
        "event_message": {**event, "description": rules},
        "timestamp": "1830000415125",
        "tags": ["glaciers"],
        "condition_id": condition("glacier"),
        "active": True,
        "clob_token_ids": pair,
        "sports_market_type": "",
        "line": "",
        "game_start_time": "",
        "order_price_min_tick_size": "0.01",
        "group_item_title": "By 2041",
    }


def _ended_in_full() -> dict[str, Any]:
    pair = [token("glacier yes"), token("glacier no")]
    what: dict[str, Any] = {
        "event_type": "market_resolved",
        "id": "6620358",
        "market": condition("glacier"),
        "assets_ids": pair,
    }
    what |= {"winning_asset_id": pair[0], "winning_outcome": "Yes", "timestamp": "1830000416375"}
    return {**what, "tags": ["glaciers"]}


def _sample_books() -> dict[str, Any]:
    about = {"market": condition("bakery"), "asset_id": token("bakery yes")}
    bids = [{"price": price, "size": size} for price, size in (("0.58", "610.0"), ("0.60", "420.0"), ("0.62", "290.0"))]
    asks = [{"price": price, "size": size} for price, size in (("0.69", "540.0"), ("0.67", "330.0"), ("0.65", "180.0"))]
    stamp = {"timestamp": "1830000410000"}
    best_first = {"bids": bids[:0:-1], "asks": asks[:0:-1]}
    summary = {**about, "hash": "", **stamp, "bids": bids, "asks": asks}
    return {
        "ws_book_snapshot": {**about, "bids": bids, "asks": asks, **stamp},
        "ws_market_book_msg": {"event_type": "book", **about, **best_first, **stamp},
        "clob_book_response": {**summary, "hash": book_hash({**summary, **RULES, "last_trade_price": "0.640"})},
    }


def _spaced(moved: Mapping[str, Any]) -> str:
    """Return a price change with a space after the first two colons and between the entries."""
    entries = ",".join(_compact(each) for each in moved["price_changes"])
    tail = _compact({name: moved[name] for name in ("timestamp", "event_type")})[1:]
    return f'{{"market": "{moved["market"]}","price_changes": [{entries}],{tail}'


def _only(summary: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: summary[name] for name in names}


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _indented(value: Any) -> str:
    """Return ``value`` with a key a line, but a level on one."""
    return re.sub(r'\{\s+("price": \S+)\s+("size": \S+)\s+\}', r"{\1 \2}", json.dumps(value, indent=2)) + "\n"


def _decimal(hundredths: int) -> str:
    whole, cents = divmod(hundredths, 100)
    return f"{whole}.{cents:02}".rstrip("0").rstrip(".")


def _cents(name: str, tick: int) -> int:
    """Return an invented size, with tenths, hundredths or neither."""
    drawn = int.from_bytes(sha256(f"own {name} {tick}".encode()).digest()[:4])
    return max(700, drawn % 190_000 // (1, 10, 100)[tick % 3] * (1, 10, 100)[tick % 3])


if __name__ == "__main__":
    write()
