"""Opens the account of one key at Kalshi from configuration and environment."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from predsurv.config import Config
from predsurv.core.errors import ConfigError
from predsurv.core.num import format_dollars
from predsurv.net.http import Http, HttpLimits
from predsurv.ports import Clock
from predsurv.store.universe import iso_second
from predsurv.venues.execution.gateway import AccountFact, VenueAccount, clock_fact, headroom_fact
from predsurv.venues.kalshi.account.decoder import in_terms_of
from predsurv.venues.kalshi.auth import KEY_ID, PRIVATE_KEY, load_signer
from predsurv.venues.kalshi.execution.account_reader import KalshiAccountReader
from predsurv.venues.kalshi.execution.collateral import read_collateral
from predsurv.venues.kalshi.execution.exchange_limit import ExchangeLimit
from predsurv.venues.kalshi.execution.gateway import KalshiGateway
from predsurv.venues.kalshi.execution.session import CANCEL_TOKENS, REQUEST_TOKENS, SKEW_MAX, KalshiSession

_S: Final = 1_000_000_000
LIMITS: Final = HttpLimits(concurrency=16, read_timeout=10 * _S, total_timeout=20 * _S, attempts=3)


async def open_account(config: Config, clock: Clock, rand: Callable[[], float]) -> VenueAccount:
    """Log in and return the account.

    Raises ConfigError for a key that cannot be used, SafetyError for a wrong clock, TransientError.
    """
    signer = load_signer(clock)
    if signer is None:
        raise ConfigError(f"no key to sign orders with: set {KEY_ID}, and {PRIVATE_KEY}_FILE to a file (mode 600)")
    places = config.venues.kalshi
    http = Http(clock, rand, limits=LIMITS)
    session = KalshiSession(places.rest_url, http, signer, clock)
    try:
        await session.log_in()
    except BaseException:
        await http.aclose()
        raise
    limit = ExchangeLimit(session, places.order_group_limit)
    reader = KalshiAccountReader(session, places.ws_url, clock, groups=limit.is_wanted)
    gateway = KalshiGateway(session, reader, clock, limit)
    return VenueAccount(
        gateway,
        reader,
        "the key's account",
        lambda: _describe(session, reader, clock),
        http.aclose,
        http.forbid_writes,
        in_terms_of,
        lambda: read_collateral(reader),
        key_expires=session.key_expires,
        begin=limit.begin,
        end=limit.end,
        stopped_by=limit.stopped_by,
        request_levels=session.request_levels,
    )


def _expiry(expires: int | None, now: int) -> AccountFact:
    name = "key may trade until"
    if expires is None:
        return AccountFact(name, "not stated")
    left = max(expires - now, 0) // (3_600 * _S)
    rest = f"{left // 24} days and {left % 24} hours from now" if expires > now else "over: renew your location there"
    return AccountFact(name, f"{iso_second(expires)}, {rest}", expires > now)


async def _describe(session: KalshiSession, reader: KalshiAccountReader, clock: Clock) -> Sequence[AccountFact]:
    cash = await reader.balance()
    facts = [
        clock_fact(session.skew, SKEW_MAX),
        AccountFact("cash", format_dollars(cash.cash), cash.cash > 0),
    ]
    facts += [
        AccountFact(f"cash on shard {shard}", format_dollars(amount), amount > 0 or None)
        for shard, amount in sorted(cash.shards.items())
    ]
    facts.append(_expiry(await session.key_expires(), clock.now()))
    return [*facts, *_limits(session)]


def _limits(session: KalshiSession) -> Iterator[AccountFact]:
    levels, writes = session.request_levels(), session.writes_per_second
    yield AccountFact("rate limit tier", session.tier or "not stated")
    yield headroom_fact("orders", levels["orders"], writes, REQUEST_TOKENS)
    yield headroom_fact("cancels", levels["orders"], writes, CANCEL_TOKENS)  # from the same budget
    yield headroom_fact("reads", levels["reads"], session.reads_per_second, REQUEST_TOKENS)
