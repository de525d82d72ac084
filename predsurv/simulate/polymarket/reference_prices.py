"""Made-up prices of coins and shares, as the real-time data socket tells them: each a function of seed and time."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Final

MINUTE: Final = 60
"""Seconds between two turns of a price."""
_WHOLE: Final = 100_000
_SWING: Final = 500
"""How far a price may be from its middle, in parts of ``_WHOLE``."""

PRICES: Final[Mapping[str, Mapping[str, int]]] = {
    "crypto_prices": {"btcusdt": 6_116_412, "ethusdt": 231_550, "solusdt": 14_210, "xrpusdt": 198},
    "crypto_prices_chainlink": {"btc/usd": 6_116_380, "eth/usd": 231_547, "sol/usd": 14_208, "xrp/usd": 198},
    "equity_prices": {"aapl": 30_791, "nvda": 18_944, "spy": 67_210, "tsla": 41_077},
}
"""Middles in cents, by topic and symbol."""


def cents_at(topic: str, symbol: str, second: int, seed: int) -> int:
    """Return a price (cents) at a second since 1970; between two minutes it goes straight from one to the other."""
    minute, passed = divmod(second, MINUTE)
    before, after = (_turn(f"{seed}:{topic}:{symbol}:{each}") for each in (minute, minute + 1))
    parts = before * (MINUTE - passed) + after * passed
    return max(PRICES[topic][symbol] * (_WHOLE * MINUTE + parts) // (_WHOLE * MINUTE), 1)


def dollars_text(cents: int) -> str:
    """Return cents as a decimal number: ``61164.12``."""
    return f"{cents // 100}.{cents % 100:02d}"


def _turn(name: str) -> int:
    return int.from_bytes(sha256(name.encode()).digest()[:4], "big") % (2 * _SWING + 1) - _SWING
