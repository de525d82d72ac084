"""A Polymarket without a network: books that change at a word, told to any number of sockets.

An independent oracle: it computes hashes by the venue's plain recipe, so the true books are known. Every socket gets
the same changes, each with the hash that the venue would state, until told to lose one.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from random import Random
from typing import Any

from predsurv.core.errors import TransientError
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName

MARKET = "0x" + "ab" * 32
START_MS = 1_790_000_000_000

TICK_SIZES = ("0.1", "0.01", "0.005", "0.0025", "0.001", "0.0001")

TEXT_FORMS: Mapping[str, Callable[[str], str]] = {
    "rounded to three decimals": lambda price: str(Decimal(price).quantize(Decimal("0.001"), ROUND_HALF_UP)),
    "cut to three decimals": lambda price: str(Decimal(price).quantize(Decimal("0.001"), ROUND_DOWN)),
    "three decimals of a float": lambda price: f"{float(price):.3f}",
    "four decimals": lambda price: f"{Decimal(price):.4f}",
    "shortest": lambda price: price.rstrip("0").rstrip(".") if "." in price else price,
}
"""How a venue may write the price of the last trade in what it hashes, by name."""

_REACH = 49
"""How many ticks from the middle a price may be."""


def key(token: str) -> InstrumentKey:
    """Return our key of a token."""
    return InstrumentKey(VenueName("polymarket"), MarketId(MARKET), InstrumentId(token))


def book_hash(summary: Mapping[str, Any]) -> str:
    """Return the hash that the venue's own client computes of a book summary."""
    body = json.dumps({**summary, "hash": ""}, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha1(body.encode(), usedforsecurity=False).hexdigest()


class Token:
    """One token's book in the venue's words: sizes by number of ticks, on both sides of ``middle``."""

    def __init__(self, name: str, rng: Random, levels: int, facts: Mapping[str, Any]) -> None:
        self.name = name
        self.facts = {"min_order_size": "5", "tick_size": "0.01", "neg_risk": False, "last_trade_price": "", **facts}
        self.tick = int(Decimal(self.facts["tick_size"]) * 1_000_000)
        self.middle = 500_000 // self.tick
        self.reach = min(_REACH, self.middle - 1)
        levels = min(levels, self.reach)
        self.sides: dict[str, dict[int, str]] = {
            "BUY": {tick: _size(rng) for tick in range(self.middle - levels, self.middle)},
            "SELL": {tick: _size(rng) for tick in range(self.middle + 1, self.middle + 1 + levels)},
        }
        self.stamp = START_MS

    def price(self, tick: int) -> str:
        """Return a price as the venue writes it."""
        return f"{tick * self.tick / 1_000_000:.6f}".rstrip("0")

    def levels(self, side: str) -> list[dict[str, str]]:
        """Return one side, worst level first."""
        levels = sorted(self.sides[side].items(), reverse=side == "SELL")
        return [{"price": self.price(tick), "size": size} for tick, size in levels]

    def summary(self) -> dict[str, Any]:
        """Return the book as REST has it, with its hash."""
        made = {
            "market": MARKET,
            "asset_id": self.name,
            "timestamp": str(self.stamp),
            "hash": "",
            "bids": self.levels("BUY"),
            "asks": self.levels("SELL"),
            **self.facts,
        }
        return {**made, "hash": book_hash(made)}

    def opening(self) -> dict[str, Any]:
        """Return the book as the stream opens with it."""
        kept = {name: value for name, value in self.summary().items() if name not in ("min_order_size", "neg_risk")}
        return {**kept, "event_type": "book"}

    def best(self) -> tuple[str, str]:
        """Return the best prices as changes state them."""
        bids, asks = self.sides["BUY"], self.sides["SELL"]
        return (self.price(max(bids)) if bids else "0", self.price(min(asks)) if asks else "1")


class Venue:
    """Tokens and whoever listens; ``told`` is every frame about a token in order.

    ``lag`` gives the seconds a socket is behind; 0 delivers at once. ``form``, one of ``TEXT_FORMS`` or another,
    writes last trade prices in what is hashed. ``facts`` of every token; ``tick_sizes`` go round.
    """

    def __init__(
        self,
        count: int,
        *,
        seed: int = 1,
        levels: int = 12,
        form: Callable[[str], str] = TEXT_FORMS["rounded to three decimals"],
        tick_sizes: Sequence[str] = ("0.01",),
        **facts: Any,
    ) -> None:
        self.rng = Random(seed)
        self.form = form
        self.tokens: dict[str, Token] = {}
        for number in range(count):
            made = {"tick_size": tick_sizes[number % len(tick_sizes)], **facts}
            self.tokens[f"{seed}{number:05}"] = Token(f"{seed}{number:05}", self.rng, levels, made)
        self.now_ms = START_MS
        self.sockets: list[ScriptedSocket] = []
        self.refuse: Callable[[], bool] = lambda: False
        self.lag: Callable[[], float] = lambda: 0
        self.attempts: list[int] = []

    @property
    def keys(self) -> frozenset[InstrumentKey]:
        """Return the keys of all tokens."""
        return frozenset(key(name) for name in self.tokens)

    async def connect(self, _url: str, _headers: Mapping[str, str] | None) -> "ScriptedSocket":
        """Open a socket; raises TransientError when told to refuse."""
        if self.refuse():
            raise TransientError("refused")
        socket = ScriptedSocket(self, self.lag())
        self.sockets.append(socket)
        return socket

    def burst(self, name: str, count: int = 1, *, step_ms: int = 1) -> list[bytes]:
        """Change ``count`` levels of a token at one moment and return the frames that say so."""
        token = self.tokens[name]
        self.now_ms += step_ms
        token.stamp = self.now_ms
        entries = [self._change(token) for _ in range(count)]
        stated, (bid, ask) = token.summary()["hash"], token.best()
        said = {"hash": stated, "best_bid": bid, "best_ask": ask}
        return [
            _wire(
                {
                    "market": MARKET,
                    "price_changes": [{**entry, **said}],
                    "timestamp": str(self.now_ms),
                    "event_type": "price_change",
                }
            )
            for entry in entries
        ]

    def _change(self, token: Token) -> dict[str, str]:
        side = self.rng.choice(("BUY", "SELL"))
        levels = token.sides[side]
        distance = self.rng.randrange(1, token.reach + 1)
        tick = token.middle - token.reach - 1 + distance if side == "BUY" else token.middle + distance
        if tick in levels and len(levels) > 3 and self.rng.random() < 0.4:
            del levels[tick]
        else:
            levels[tick] = _size(self.rng)
        size = levels.get(tick, "0")
        return {"asset_id": token.name, "price": token.price(tick), "size": size, "side": side}

    def draw_price(self, name: str) -> str:
        """Return a price at which a token may trade."""
        token = self.tokens[name]
        return token.price(token.middle + self.rng.randrange(-token.reach, token.reach + 1))

    def trade(self, name: str, price: str) -> list[bytes]:
        """Trade at ``price``: the book is sent whole, then the trade is announced; return both frames."""
        token = self.tokens[name]
        self.now_ms += 1
        token.stamp = self.now_ms
        self._change(token)
        token.facts["last_trade_price"] = self.form(price)
        summary = token.summary()
        book = {name: summary[name] for name in ("market", "asset_id", "timestamp", "hash", "bids", "asks")}
        trade = {
            "market": MARKET,
            "asset_id": name,
            "price": price,
            "size": "5",
            "side": "BUY",
            "timestamp": str(self.now_ms),
            "event_type": "last_trade_price",
            "transaction_hash": f"0x{self.rng.getrandbits(64):x}",
        }
        return [_wire({**book, "event_type": "book"}), _wire(trade)]

    def tick_size_change(self, name: str, tick_size: str) -> bytes:
        """Give a token another tick size, which its hashes cover; return the frame that says so."""
        facts = self.tokens[name].facts
        old, facts["tick_size"] = facts["tick_size"], tick_size
        said = {"asset_id": name, "old_tick_size": old, "new_tick_size": tick_size, "timestamp": str(self.now_ms)}
        return _wire({"market": MARKET, **said, "event_type": "tick_size_change"})

    def tell(self, frames: Iterable[bytes], name: str) -> None:
        """Send ``frames`` to whoever asked for the token."""
        sent = list(frames)
        for socket in self.sockets:
            if name in socket.tokens:
                socket.put(sent)

    def books(self, names: Iterable[str]) -> bytes:
        """Return what a socket hears first."""
        return _wire([self.tokens[name].opening() for name in names if name in self.tokens])


class ScriptedSocket:
    """One connection, ``lag`` seconds behind the truth; ``frozen`` ones answer a PING and nothing else."""

    def __init__(self, venue: Venue, lag: float) -> None:
        self.tokens: set[str] = set()
        self.frozen = False
        self.closed = False
        self._venue = venue
        self._lag = lag
        self._waiting: list[bytes] = []
        self._filled = asyncio.Event()
        self._error: TransientError | None = None

    def put(self, frames: Sequence[bytes]) -> None:
        """Let ``frames`` arrive, later when this socket lags."""
        if self.frozen or self.closed:
            return
        if self._lag:
            asyncio.get_running_loop().call_later(self._lag, self._arrive, frames)
        else:
            self._arrive(frames)

    def _arrive(self, frames: Sequence[bytes]) -> None:
        self._waiting += frames
        self._filled.set()

    def fail(self, reason: str = "connection lost without a close frame") -> None:
        """End it from the far side."""
        self._error = TransientError(reason)
        self._filled.set()

    async def recv_many(self) -> Sequence[bytes]:
        """Return what arrived."""
        while not self._waiting:
            if self._error is not None:
                raise self._error
            self._filled.clear()
            await self._filled.wait()
        frames, self._waiting = self._waiting, []
        return frames

    async def send(self, message: bytes) -> None:
        """Hear a request."""
        if message == b"PING":
            self._arrive([b"PONG"])
            return
        request = json.loads(message)
        names = request["assets_ids"]
        if request.get("operation") == "unsubscribe":
            self.tokens.difference_update(names)
            return
        fresh = [name for name in names if name not in self.tokens]
        self.tokens.update(fresh)
        self.put([self._venue.books(fresh)])

    async def aclose(self) -> None:
        """Leave."""
        self.closed = True
        if self in self._venue.sockets:
            self._venue.sockets.remove(self)
        self.fail("closed")


def _wire(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _size(rng: Random) -> str:
    return f"{rng.randrange(500, 500_000) / 100:.2f}".rstrip("0").rstrip(".")
