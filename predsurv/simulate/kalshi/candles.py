"""Candlesticks of the last trades: prices of what traded, and the quotes that stood when it did."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

TRADES_KEPT_MAX: Final = 10_000
PERIODS: Final = (1, 60, 1_440)
"""Lengths of candles, minutes."""
_S: Final = 1_000_000_000
_S_PER_MINUTE: Final = 60


class TradeSample(NamedTuple):
    """A trade at ``ts`` (ns UTC): price and best quotes of YES in micros, size in hundredths of contracts."""

    ticker: str
    ts: int
    price: int
    size: int
    bid: int
    ask: int


class CandleHistory:
    """The last trades of all markets, oldest first."""

    def __init__(self) -> None:
        self._samples: deque[TradeSample] = deque(maxlen=TRADES_KEPT_MAX)

    def add(self, sample: TradeSample) -> None:
        """Add a trade."""
        self._samples.append(sample)

    def candles(self, ticker: str, start: int, end: int, period: int) -> list[dict[str, Any]]:
        """Return the candles of ``period`` minutes that end from ``start`` to ``end`` (s UTC); none without trades."""
        length = period * _S_PER_MINUTE
        by_end: dict[int, list[TradeSample]] = {}
        for sample in self._samples:
            if sample.ticker == ticker:
                by_end.setdefault((sample.ts // _S // length + 1) * length, []).append(sample)
        return [_candle(at, samples) for at, samples in sorted(by_end.items()) if start <= at <= end + length]


def _candle(end: int, samples: Sequence[TradeSample]) -> dict[str, Any]:
    volume = sum(sample.size for sample in samples)
    mean = sum(sample.price * sample.size for sample in samples) // volume
    prices = _range(sample.price for sample in samples)
    return {
        "end_period_ts": end,
        "yes_bid": _range(sample.bid for sample in samples),
        "yes_ask": _range(sample.ask for sample in samples),
        "price": {**prices, "mean_dollars": _dollars(mean)},
        "volume_fp": f"{volume // 100}.{volume % 100:02d}",
        "open_interest_fp": "0.00",
    }


def _range(values: Iterable[int]) -> dict[str, str]:
    found = list(values)
    named = {"open": found[0], "low": min(found), "high": max(found), "close": found[-1]}
    return {f"{name}_dollars": _dollars(value) for name, value in named.items()}


def _dollars(micros: int) -> str:
    return f"{micros // 1_000_000}.{micros % 1_000_000 // 100:04d}"
