"""What markets paid once they settled, as recordings heard it, for the pairs that it contradicts."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final

from predsurv.core.events import MarketResolved
from predsurv.core.ids import MarketId, VenueName
from predsurv.core.mapping import ApprovedMapping
from predsurv.core.num import MICROS
from predsurv.store.layout import FOLDERS, NS_DAY, Partition, is_date, start_of
from predsurv.store.read.settlements import settlements
from predsurv.store.read.verify_digests import retry_if_replaced

DAYS_MAX: Final = 400
"""Recorded days, the latest, in which settlements are looked for."""

Settled = Mapping[str, MarketResolved]
"""The last settlement heard of each market, by market id, without those that were void: they prove nothing."""


def read_settled(data_dir: Path, venue: VenueName, markets: AbstractSet[MarketId] | None = None) -> Settled:
    """Return how ``markets`` (None: all) settled; raises IntegrityError naming a damaged file."""
    folder = data_dir / FOLDERS["lifecycle"] / f"venue={venue}"
    dates = sorted(path.name.removeprefix("date=") for path in folder.glob("date=*"))
    starts = [start_of(Partition("lifecycle", venue, date, None)) for date in dates if is_date(date)]
    if not starts:
        return {}
    start, end = max(starts[0], starts[-1] - DAYS_MAX * NS_DAY), starts[-1] + NS_DAY

    def read() -> dict[str, MarketResolved]:
        return {str(each.market_id): each for each in settlements(data_dir, venue, start, end, markets)}

    return {name: each for name, each in retry_if_replaced(read).items() if not each.void}


def paid(settled: MarketResolved | None, instrument: str) -> int | None:
    """Return what a share of an outcome paid (micros), None where that is not known."""
    if settled is None:
        return None
    return next((int(payout) for name, payout in settled.payouts if name == instrument), None)


def contradictions(mapping: ApprovedMapping, first: Settled, second: Settled) -> tuple[str, ...]:
    """Return the markets of an approved pair whose corresponding outcomes paid differently, () where none is known to.

    ``first``, ``second``: settlements at the venues of either side.
    """
    sides = tuple(mapping.sides())
    for one, other in _paid_together(mapping, first, second):
        if one != other:
            return tuple(
                f"{side.market_id} paid ${amount / MICROS:g}" for side, amount in zip(sides, (one, other), strict=True)
            )
    return ()


def agreed(mapping: ApprovedMapping, first: Settled, second: Settled) -> bool:
    """Return whether corresponding outcomes of an approved pair are known to have paid, and all of them alike."""
    known = list(_paid_together(mapping, first, second))
    return bool(known) and all(one == other for one, other in known)


def _paid_together(mapping: ApprovedMapping, first: Settled, second: Settled) -> Iterator[tuple[int, int]]:
    """Yield what corresponding outcomes paid (micros) as far as both are known."""
    sides = tuple(mapping.sides())
    heard = tuple(settled.get(str(side.market_id)) for side, settled in zip(sides, (first, second), strict=True))
    for index in (0, 1):
        one, other = (paid(each, side.outcomes[index]) for side, each in zip(sides, heard, strict=True))
        if one is not None and other is not None:
            yield one, other
