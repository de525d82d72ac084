"""One request that cancels every open order of an account, whoever placed it."""

from collections.abc import Mapping, Sequence

from predsurv.core.ids import OrderId
from predsurv.venues.answers import Verdict
from predsurv.venues.polymarket.execution.session import ClobSession
from predsurv.venues.polymarket.orders.answers import judge_cancel_all
from predsurv.venues.polymarket.orders.requests import CANCEL_ALL


async def cancel_all(session: ClobSession, known: Sequence[OrderId]) -> Mapping[OrderId, Verdict] | None:
    """Cancel everything; None, with nothing sent, where that costs more than a signer may ever spend at once.

    It costs a token of the signer's and one for each order: those ``known`` to be open. Raises as ``ClobSession.send``.
    """
    cost = 1 + len(known)
    if cost > session.limits.rates.cancels_burst:
        return None
    reply = await session.send(CANCEL_ALL, cost)
    return judge_cancel_all(reply.status, reply.body, known, session.wait_of(reply))
