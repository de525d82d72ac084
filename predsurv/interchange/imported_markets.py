"""Universe files for imported markets of which no list is there: what the rows tell, everything else assumed."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from predsurv.core.events import BookDelta, BookSnapshot
from predsurv.core.ids import EventId, InstrumentId, MarketId, VenueName
from predsurv.core.market import Market, Outcome
from predsurv.core.num import Price, Size
from predsurv.interchange.foreign_recording import MarketRows
from predsurv.state.market_facts import assumed_before
from predsurv.store.layout import date_of
from predsurv.store.universe import line_ids, universe_files
from predsurv.store.universe_writer import UniverseWriter

_TICKS: Final = (10_000, 1_000, 100)
_LOOKED_AT: Final = 200
"""Events of a file by whose prices the tick size of a market is guessed."""


class _Seen(Struct):
    first: int
    instruments: dict[InstrumentId, str]
    question: str
    tick: int
    event_id: str = ""


class ImportedMarkets:
    """Collects the markets of an import; ``commit`` adds those that no universe lists to that of their first day."""

    def __init__(self, venue: VenueName, data_dir: Path) -> None:
        self._venue, self._data_dir = venue, data_dir
        self._seen: dict[MarketId, _Seen] = {}

    def add(self, market: MarketRows, first: int) -> None:
        """Note what a file tells of a market that is first seen at ``first`` (ns UTC)."""
        seen = self._seen.setdefault(market.market_id, _Seen(first, {}, "", _TICKS[0]))
        labels = market.labels or ("",) * len(market.instruments)
        for instrument, label in zip(market.instruments, labels, strict=True):
            seen.instruments[instrument] = seen.instruments.get(instrument) or label
        seen.question = seen.question or market.question
        seen.event_id = seen.event_id or market.event_id
        seen.tick = min(seen.tick, _tick(_prices(market)))

    def commit(self) -> None:
        """Write the universe files; raises OSError."""
        listed = self._listed()
        by_day: dict[str, list[Market]] = {}
        for market_id, seen in self._seen.items():
            if market_id not in listed:
                by_day.setdefault(date_of(seen.first), []).append(self._market(market_id, seen))
        for markets in by_day.values():
            with UniverseWriter(self._data_dir, self._venue, min(each.fetched_at for each in markets)) as writer:
                for market in markets:
                    writer.write(market)
                writer.commit(whole=False)

    def _listed(self) -> set[str]:
        found: set[str] = set()
        for path in universe_files(self._data_dir, self._venue).values():
            with path.open("rb") as lines:
                found.update(str(line_ids(line).market_id) for line in lines)
        return found

    def _market(self, market_id: MarketId, seen: _Seen) -> Market:
        outcomes = tuple(
            Outcome(instrument, label or f"Outcome {number}")
            for number, (instrument, label) in enumerate(seen.instruments.items(), 1)
        )
        market = Market(
            venue=self._venue,
            market_id=market_id,
            event_id=EventId(seen.event_id or market_id),
            question=seen.question or str(market_id),
            outcomes=outcomes,
            status="active",
            tick_size=Price(seen.tick),
            min_order_size=Size(0),
            fetched_at=seen.first,
            tradable=True,
        )
        return replace(market, assumed=assumed_before(market).market.assumed)


def _prices(market: MarketRows) -> Iterable[int]:
    for event in market.events[:_LOOKED_AT]:
        if type(event) is BookSnapshot:
            yield from (price for price, _ in (*event.bids, *event.asks))
        elif type(event) is BookDelta:
            yield event.price


def _tick(prices: Iterable[int]) -> int:
    tick = _TICKS[0]
    for price in prices:
        while price % tick and tick != _TICKS[-1]:
            tick = _TICKS[_TICKS.index(tick) + 1]
    return tick
