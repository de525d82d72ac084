"""The public dataset of trades of Jon Becker's prediction-market-analysis: Kalshi's by REST, Polymarket's by chain.

Layout: the dataset's own description (docs/SCHEMAS.md of that repository): Parquet files of markets and of trades for
each venue; Polymarket's trades tell a block, of which further files tell the time. It has no books, and no time of
receipt: that of the venue stands for it. A file holds trades of any time, so the days that are read together are taken
from all of them.

- Kalshi: cents a YES share; a row whose two prices do not add up to a dollar was rounded, and its price is not known.
- Polymarket: one row for each order that was filled. A match is one row for each maker, and one of the taker's whole
  order, which names the exchange as its taker: the makers' rows tell the same trades at their prices, that one is
  left out. What a maker buys, the taker sells, in a binary market also where the taker bought the other outcome.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from predsurv.core.errors import ConfigError, IntegrityError
from predsurv.core.events import CoverageReason, Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, TradeId, VenueName
from predsurv.core.num import Price, Size
from predsurv.interchange.becker_tables import DatasetTables, find_tables
from predsurv.interchange.foreign_recording import ImportPart, MarketRows
from predsurv.store.layout import NS_DAY, date_of

ROWS_PER_PART: Final = 500_000
"""Trades in memory at a time; a day with more is read as one."""


class BeckerFiles:
    """The trades of ``venue`` among ``files``; ``only``: the markets to import, empty for all.

    ``since``, ``until``: only trades from then to before then (ns UTC). Raises ConfigError when no file has trades.
    """

    name = "becker"
    books = False
    trades: CoverageReason = "polled"

    def __init__(
        self, venue: VenueName, files: Iterable[Path], only: Iterable[str] = (), since: int = 0, until: int = 2**62
    ) -> None:
        self.venue = venue
        self.left_out: Counter[str] = Counter()
        self._tables: DatasetTables = find_tables(venue, list(files))
        if not self._tables.trades:
            raise ConfigError(f"no file of trades of {venue} in the layout of becker among the files")
        self.files: Sequence[Path] = self._tables.files
        self._only, self._since, self._until = frozenset(only), since, until
        self._read: tuple[ImportPart, pl.DataFrame] | None = None

    def parts(self) -> list[ImportPart]:
        """Return runs of whole days (UTC) of up to ``ROWS_PER_PART`` trades."""
        days = self._tables.days(self._since, self._until)
        parts: list[ImportPart] = []
        rows = 0
        for day, count in days:
            begin, end = max(day, self._since), min(day + NS_DAY, self._until)
            rows += count
            if parts and rows <= ROWS_PER_PART:
                parts[-1] = self._part(parts[-1].since, end)
            else:
                parts.append(self._part(begin, end))
                rows = count
        if not parts:
            raise ConfigError(f"there is no trade of {self.venue} in that time")
        return parts

    def _part(self, since: int, until: int) -> ImportPart:
        first, last = date_of(since), date_of(until - 1)
        return ImportPart(first if first == last else f"{first}..{last}", (), since, until)

    def times(self, part: ImportPart) -> pl.Series:
        """Return the times at which anything was traded, in any market."""
        return self._trades(part)["time"].unique().sort()

    def markets(self, part: ImportPart) -> Iterator[MarketRows]:
        """Yield one market after the other."""
        rows = self._trades(part)
        self._read = None
        for own in rows.partition_by("market", maintain_order=True):
            market = MarketId(own["market"][0])
            if self._only and market not in self._only:
                continue
            known = self._tables.names_of(market)
            events = [self._trade(market, row) for row in own.iter_rows(named=True)]
            yield MarketRows(
                market,
                tuple(map(InstrumentId, known.instruments)),
                events,
                known.question,
                known.labels,
                known.event_id,
            )

    def _trade(self, market: MarketId, row: Mapping[str, Any]) -> Trade:
        key = InstrumentKey(self.venue, market, InstrumentId(row["instrument"]))
        time, price, size = row["time"], Price(row["price"]), Size(row["size"])
        return Trade(key, time, time, price, size, row["side"], TradeId(row["trade_id"]))

    def _trades(self, part: ImportPart) -> pl.DataFrame:
        if self._read is None or self._read[0] != part:
            rows, left = self._tables.trades_in(part.since, part.until)
            self.left_out.update(left)
            if rows["time"].null_count() or rows["market"].null_count():
                raise IntegrityError(f"{part.name}: a trade has no time or no market")
            self._read = part, rows.sort("market", "time", "order", maintain_order=True)
        return self._read[1]
