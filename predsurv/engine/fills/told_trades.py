"""What is remembered of public trades, to recognise another telling of one: by its id, and by what it was.

``PythonToldTrades`` is the specification and the fallback. ``ToldTrades`` is the compiled implementation (``csrc/``)
where there was a C compiler at installation, to which a compiled replay tells trades without objects.
"""

from typing import TYPE_CHECKING, Final, NamedTuple

from predsurv.core.ids import InstrumentKey, OrderSide, TradeId
from predsurv.core.native import speedups
from predsurv.core.num import Price, Size

_Told = tuple[InstrumentKey, int, int]
"""The outcome on which a trade was told, how many equal ones, and when it was received last (ns UTC)."""


class TradeIdentity(NamedTuple):
    """What both tellings of a trade have in common, in terms of the first outcome's book; micros, ns UTC."""

    key: InstrumentKey
    price: Price
    size: Size
    taker_side: OrderSide | None
    ts_venue: int | None


class PythonToldTrades:
    """Trades told so far. Each table is what came lately and what came before that.

    ``ids_kept`` and ``identities_kept``: how many are remembered at least, and twice as many at most.
    ``echo_after_max``: how long (ns) after the first telling of a trade the second may arrive.
    """

    def __init__(self, ids_kept: int, identities_kept: int, echo_after_max: int) -> None:
        self._ids_kept, self._identities_kept, self._echo_after_max = ids_kept, identities_kept, echo_after_max
        self._ids: list[dict[tuple[InstrumentKey, TradeId, int | None], None]] = [{}, {}]
        self._identities: list[dict[TradeIdentity, _Told]] = [{}, {}]

    def knows(self, key: InstrumentKey, trade_id: TradeId, ts_venue: int | None) -> bool:
        """Return whether a trade with that id was told before; it is known from now on."""
        entry, ids = (key, trade_id, ts_venue), self._ids
        if entry in ids[0] or entry in ids[1]:
            return True
        ids[0][entry] = None
        if len(ids[0]) >= self._ids_kept:
            ids[:] = {}, ids[0]
        return False

    def is_echo(self, identity: TradeIdentity, key: InstrumentKey, ts_recv: int) -> bool:
        """Return whether a trade told on ``key`` was told on the other outcome, and not yet on this one."""
        identities = self._identities
        where = identities[0] if identity in identities[0] else identities[1]
        first, count, told_at = where.pop(identity, (key, 0, 0))
        if ts_recv - told_at > self._echo_after_max:
            first, count = key, 0
        if first == key:
            identities[0][identity] = (first, count + 1, ts_recv)
        elif count > 1:
            identities[0][identity] = (first, count - 1, told_at)
        if len(identities[0]) >= self._identities_kept:
            identities[:] = {}, identities[0]
        return first != key


if TYPE_CHECKING:
    ToldTrades = PythonToldTrades
else:
    ToldTrades: Final = PythonToldTrades if speedups is None else speedups.NativeToldTrades
