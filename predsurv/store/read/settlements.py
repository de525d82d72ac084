"""How markets settled, as recordings heard it: lists tell that a market is over, not what it paid."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path

from predsurv.core.events import MarketResolved
from predsurv.core.ids import InstrumentKey, MarketId, VenueName
from predsurv.store.layout import Layout
from predsurv.store.read.cursor import ReplayQuery
from predsurv.store.read.replay import read_events


def settlements(
    data_dir: Path, venue: VenueName, start: int, end: int, markets: AbstractSet[MarketId] | None = None
) -> Iterator[MarketResolved]:
    """Yield the settlements heard from ``start`` to before ``end`` (ns UTC), of ``markets`` or all, in that order.

    Raises IntegrityError naming a damaged file.
    """
    none = None if markets is None else frozenset[InstrumentKey]()
    query = ReplayQuery(venue, start, end, none, datasets=("lifecycle",), life_of=markets or frozenset())
    for event in read_events(Layout(data_dir), query):
        if isinstance(event, MarketResolved):
            yield event
