"""The inverse of ``core.records.pack_levels``."""

from struct import iter_unpack

from predsurv.core.events import Level
from predsurv.core.num import Price, Size


def unpack_levels(packed: bytes) -> tuple[Level, ...]:
    """Return the levels that ``pack_levels`` packed."""
    return tuple((Price(price), Size(size)) for price, size in iter_unpack("qq", packed))
