"""Synthetic Polymarket market-channel frames in the documented mix, from a seed.

Every contender reads exactly the same bytes. Not a capture: field values and
mix follow the venue's documentation (95 % price_change with two complementary entries, 3 %
last_trade_price, 2 % book with 40 levels a side; activity by Zipf's law; 30 % of markets on the
0.001 tick), after one opening book per token. Hashes are made up, unless they are asked for: then each is what the
venue's recipe gives (SHA-1 over the JSON of the book's summary).
"""

import hashlib
import json
from dataclasses import dataclass, field
from functools import cache
from random import Random

LEVELS = 40
ZIPF_EXPONENT = 1.0
FINE_TICK_SHARE = 0.3
START_MS = 1_790_000_000_000


@dataclass
class Token:
    """One outcome with the book the generator believes in; prices in ticks."""

    market: str
    asset: str
    unit: int
    bids: dict[int, str] = field(default_factory=dict)
    asks: dict[int, str] = field(default_factory=dict)
    last_trade: str = "0.500"

    @property
    def tick_size(self) -> str:
        return "0.01" if self.unit == 100 else "0.001"

    def hash(self, now: int) -> str:
        """Return the hash of the book as it is at ``now`` (ms)."""
        bids, asks = (",".join(self._summary(side)) for side in (self.bids, self.asks))
        text = (
            f'{{"market":"{self.market}","asset_id":"{self.asset}","timestamp":"{now}","hash":"","bids":[{bids}],'
            f'"asks":[{asks}],"min_order_size":"5","tick_size":"{self.tick_size}","neg_risk":false,'
            f'"last_trade_price":"{self.last_trade}"}}'
        )
        return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    def _summary(self, side: dict[int, str]) -> list[str]:
        unit = self.unit
        levels = sorted(side.items(), reverse=side is self.asks)
        return [f'{{"price":"{_price(tick, unit)}","size":"{size}"}}' for tick, size in levels]

    def price(self, tick: int) -> str:
        return _price(tick, self.unit)


@dataclass(frozen=True)
class Load:
    """Frames to decode with their times of arrival (ns) and the tokens they speak of.

    ``tokens`` are (market id, token id), ``ticks`` the tick size by token.
    """

    frames: list[bytes]
    arrivals: list[int]
    tokens: list[tuple[str, str]]
    ticks: dict[str, str]


def generate(count: int, markets: int = 1000, seed: int = 11, *, hashed: bool = False) -> Load:
    """Return ``2 * markets`` opening books followed by ``count`` mixed frames; ``hashed``: with the venue's hashes."""
    rng = Random(seed)
    pairs = [_pair(rng) for _ in range(markets)]
    frames = [_book(token, START_MS, opening=True, hashed=hashed) for pair in pairs for token in pair]
    weights = [1 / (rank + 1) ** ZIPF_EXPONENT for rank in range(markets)]
    for step, pair in enumerate(rng.choices(pairs, weights, k=count)):
        now, draw = START_MS + step, rng.random()
        if draw < 0.95:
            frames.append(_price_change(rng, pair, now, hashed=hashed))
        elif draw < 0.98:
            frames.append(_trade(rng, pair[0], now))
        else:
            frames.append(_book(pair[rng.randrange(2)], now, opening=False, hashed=hashed))
    tokens = [token for pair in pairs for token in pair]
    ticks = {token.asset: token.tick_size for token in tokens}
    opening = [START_MS * 1_000_000 + number for number in range(2 * markets)]
    arrivals = [(START_MS + step) * 1_000_000 + rng.randrange(900_000) for step in range(count)]
    return Load(frames, opening + arrivals, [(token.market, token.asset) for token in tokens], ticks)


@cache
def _price(tick: int, unit: int) -> str:
    return f"{tick / unit:.3f}".rstrip("0").rstrip(".")


def _pair(rng: Random) -> tuple[Token, Token]:
    market = f"0x{rng.getrandbits(256):064x}"
    unit = 1000 if rng.random() < FINE_TICK_SHARE else 100
    yes, no = (Token(market, str(rng.getrandbits(256) | 1 << 255), unit) for _ in range(2))
    best = rng.randrange(LEVELS + 1, unit - LEVELS - 1)
    for step in range(LEVELS):
        _set(yes, no, "BUY", best - 1 - step, _size(rng))
        _set(yes, no, "SELL", best + 1 + step, _size(rng))
    return yes, no


def _size(rng: Random) -> str:
    # Round sizes dominate on the venue; the rest carry cents.
    if rng.random() < 0.4:
        return str(rng.choice((5, 10, 20, 50, 100, 200, 500, 1000)))
    return f"{rng.randrange(500, 500_000) / 100:.2f}".rstrip("0").rstrip(".")


def _set(yes: Token, no: Token, side: str, tick: int, size: str) -> None:
    for token, near, ladder_side in ((yes, tick, side), (no, yes.unit - tick, _other(side))):
        ladder = token.bids if ladder_side == "BUY" else token.asks
        if size == "0":
            ladder.pop(near, None)
        else:
            ladder[near] = size


def _other(side: str) -> str:
    return "SELL" if side == "BUY" else "BUY"


def _price_change(rng: Random, pair: tuple[Token, Token], now: int, *, hashed: bool) -> bytes:
    yes, no = pair
    side = rng.choice(("BUY", "SELL"))
    ladder = yes.bids if side == "BUY" else yes.asks
    best = max(ladder) if side == "BUY" else min(ladder)
    away = min(int(rng.expovariate(0.25)), LEVELS)
    tick = best - away if side == "BUY" else best + away
    tick = min(max(tick, 1), yes.unit - 1)
    removes = len(ladder) > LEVELS // 2 and tick in ladder and rng.random() < 0.3
    _set(yes, no, side, tick, "0" if removes else _size(rng))
    changes = [
        _entry(rng, token, near, ladder_side)
        for token, near, ladder_side in ((yes, tick, side), (no, yes.unit - tick, _other(side)))
    ]
    if hashed:
        changes = [{**entry, "hash": token.hash(now)} for entry, token in zip(changes, pair, strict=True)]
    return _dump(
        {
            "market": yes.market,
            "price_changes": changes,
            "timestamp": str(now),
            "event_type": "price_change",
        }
    )


def _entry(rng: Random, token: Token, tick: int, side: str) -> dict[str, str]:
    ladder = token.bids if side == "BUY" else token.asks
    return {
        "asset_id": token.asset,
        "price": token.price(tick),
        "size": ladder.get(tick, "0"),
        "side": side,
        "hash": f"{rng.getrandbits(160):040x}",
        "best_bid": token.price(max(token.bids)),
        "best_ask": token.price(min(token.asks)),
    }


def _trade(rng: Random, token: Token, now: int) -> bytes:
    token.last_trade = token.price(min(token.asks))
    return _dump(
        {
            "market": token.market,
            "asset_id": token.asset,
            "price": token.last_trade,
            "size": _size(rng),
            "fee_rate_bps": "0",
            "side": rng.choice(("BUY", "SELL")),
            "timestamp": str(now),
            "event_type": "last_trade_price",
            "transaction_hash": f"0x{rng.getrandbits(256):064x}",
        }
    )


def _book(token: Token, now: int, *, opening: bool, hashed: bool) -> bytes:
    body: dict[str, object] = {
        "market": token.market,
        "asset_id": token.asset,
        "timestamp": str(now),
        "hash": token.hash(now) if hashed else f"{now * 2654435761 % 2**160:040x}",
        "bids": [{"price": token.price(t), "size": token.bids[t]} for t in sorted(token.bids)],
        "asks": [{"price": token.price(t), "size": token.asks[t]} for t in sorted(token.asks, reverse=True)],
        "event_type": "book",
    }
    if opening:
        body |= {"tick_size": token.tick_size, "last_trade_price": token.last_trade}
    return _dump(body)


def _dump(body: object) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
