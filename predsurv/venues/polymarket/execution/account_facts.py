"""What can stand in the way of trading with an account of Polymarket: wallet, clock, cash, allowances, limits."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from predsurv.core.errors import PredsurvError
from predsurv.core.num import MICROS, format_dollars
from predsurv.venues.execution.gateway import AccountFact, clock_fact, headroom_fact
from predsurv.venues.polymarket.account.decoder import CollateralBalance
from predsurv.venues.polymarket.execution.account_reader import ClobAccountReader
from predsurv.venues.polymarket.execution.login import SKEW_MAX, PolymarketIdentity
from predsurv.venues.polymarket.execution.session import ClobSession
from predsurv.venues.polymarket.execution.signer_limits import SignerLimits
from predsurv.venues.polymarket.orders.exchanges import EXCHANGE_V3, NEG_RISK, STANDARD

_TYPES: Final = ("0: the key's own account", "1: proxy wallet", "2: Safe", "3: deposit wallet")
_UNLIMITED: Final = MICROS**3


async def describe(
    identity: PolymarketIdentity, session: ClobSession, reader: ClobAccountReader
) -> Sequence[AccountFact]:
    """Return the facts, whether it is closed only where that is answered; raises PredsurvError."""
    signer = identity.signer
    cash = await reader.balance()
    facts = [
        AccountFact("signer", identity.api_key.address),
        AccountFact("funder", signer.maker),
        AccountFact("signature type", _TYPES[signer.wallet.signature_type]),
        clock_fact(identity.skew, SKEW_MAX),
        AccountFact("cash", format_dollars(cash.balance), cash.balance > 0),
        *_allowances(cash),
        *_limits(session.limits),
    ]
    return [*facts, *await _closed_only(session)]


def _allowances(cash: CollateralBalance) -> Iterator[AccountFact]:
    for exchange in (STANDARD, NEG_RISK, EXCHANGE_V3):
        allowed = cash.allowances.get(exchange.address.lower())
        if allowed is None:
            yield AccountFact(f"allowance {exchange.name}", "not stated")
        else:
            text = "unlimited" if allowed >= _UNLIMITED else format_dollars(allowed)
            yield AccountFact(f"allowance {exchange.name}", text, allowed > 0)


def _limits(limits: SignerLimits) -> Iterator[AccountFact]:
    yield AccountFact("rate limit tier", limits.tier or "not stated: the limits of the lowest are kept to")
    rates, levels = limits.rates, limits.levels()
    yield headroom_fact("orders", levels["orders"], rates.orders)
    yield headroom_fact("cancels", levels["cancels"], rates.cancels)


async def _closed_only(session: ClobSession) -> Sequence[AccountFact]:
    try:
        body = msgspec.json.decode(await session.read("/auth/ban-status/closed-only"))
    except (PredsurvError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()
    value = body.get("closed_only") if isinstance(body, dict) else None
    return [AccountFact("closed only", "yes" if value else "no", not value)] if isinstance(value, bool) else ()
