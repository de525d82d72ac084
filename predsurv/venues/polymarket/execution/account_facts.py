"""What can stand in the way of trading with an account of Polymarket: wallet, clock, cash, allowances, limits."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from predsurv.core.errors import PredsurvError
from predsurv.core.num import MICROS, format_micros
from predsurv.core.text import sanitise
from predsurv.venues.execution.gateway import AccountFact, clock_fact
from predsurv.venues.polymarket.account.decoder import CollateralBalance
from predsurv.venues.polymarket.execution.account_reader import ClobAccountReader
from predsurv.venues.polymarket.execution.login import SKEW_MAX, PolymarketIdentity
from predsurv.venues.polymarket.execution.session import ClobSession
from predsurv.venues.polymarket.orders.exchanges import EXCHANGE_V3, NEG_RISK, STANDARD

_TYPES: Final = ("0: the key's own account", "1: proxy wallet", "2: Safe", "3: deposit wallet")
_UNLIMITED: Final = MICROS**3


async def describe(
    identity: PolymarketIdentity, session: ClobSession, reader: ClobAccountReader
) -> Sequence[AccountFact]:
    """Return the facts; what is optional and not answered is left out. Raises PredsurvError."""
    signer = identity.signer
    cash = await reader.balance()
    facts = [
        AccountFact("signer", identity.api_key.address),
        AccountFact("funder", signer.maker),
        AccountFact("signature type", _TYPES[signer.wallet.signature_type]),
        clock_fact(identity.skew, SKEW_MAX),
        AccountFact("cash", f"{format_micros(cash.balance)} USD", cash.balance > 0),
        *_allowances(cash),
    ]
    return [*facts, *await _optional(session)]


def _allowances(cash: CollateralBalance) -> Iterator[AccountFact]:
    for exchange in (STANDARD, NEG_RISK, EXCHANGE_V3):
        allowed = cash.allowances.get(exchange.address.lower())
        if allowed is None:
            yield AccountFact(f"allowance {exchange.name}", "not stated")
        else:
            text = "unlimited" if allowed >= _UNLIMITED else f"{format_micros(allowed)} USD"
            yield AccountFact(f"allowance {exchange.name}", text, allowed > 0)


async def _optional(session: ClobSession) -> Sequence[AccountFact]:
    facts = list[AccountFact]()
    for name, path, key in (
        ("rate limit tier", "/v1/user/rate-limit-tier", "tier"),
        ("closed only", "/auth/ban-status/closed-only", "closed_only"),
    ):
        try:
            body = msgspec.json.decode(await session.read(path))
        except (PredsurvError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        value = body.get(key) if isinstance(body, dict) else None
        if isinstance(value, bool):
            facts.append(AccountFact(name, "yes" if value else "no", not value))
        elif value is not None:
            facts.append(AccountFact(name, sanitise(str(value), 60)))
    return facts
