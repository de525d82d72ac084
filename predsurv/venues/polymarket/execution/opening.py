"""Opens one account of Polymarket from configuration and environment."""

from collections.abc import Callable
from typing import Final

from predsurv.config import Config
from predsurv.net.http import Http, HttpLimits
from predsurv.ports import Clock
from predsurv.venues.execution.gateway import VenueAccount
from predsurv.venues.polymarket.account.decoder import AccountDecoder
from predsurv.venues.polymarket.execution.account_facts import describe
from predsurv.venues.polymarket.execution.account_reader import ClobAccountReader, ClobUserChannel
from predsurv.venues.polymarket.execution.allowances import read_allowances
from predsurv.venues.polymarket.execution.cancel_all import cancel_all
from predsurv.venues.polymarket.execution.gateway import PolymarketGateway
from predsurv.venues.polymarket.execution.login import log_in
from predsurv.venues.polymarket.execution.session import ClobSession

_S: Final = 1_000_000_000
LIMITS: Final = HttpLimits(concurrency=16, read_timeout=10 * _S, total_timeout=20 * _S, attempts=3)


async def open_account(config: Config, clock: Clock, rand: Callable[[], float]) -> VenueAccount:
    """Log in and return the account.

    Raises ConfigError for a key that cannot be used, SafetyError for a wrong clock, TransientError.
    """
    http = Http(clock, rand, limits=LIMITS)
    try:
        identity = await log_in(config, http, clock)
        places, signer = config.venues.polymarket, identity.signer
        session = ClobSession(places.clob_url, http, identity.api_key, clock)
        await session.learn_tier()
    except BaseException:
        await http.aclose()
        raise
    decoder = AccountDecoder(identity.api_key.owner, signer.maker)
    reader = ClobAccountReader(
        session,
        decoder,
        lambda: ClobUserChannel(places.ws_user_url, identity.api_key, decoder),
        clock,
        signature_type=signer.wallet.signature_type,
    )
    gateway = PolymarketGateway(identity, session, reader, clock, rand)
    return VenueAccount(
        gateway,
        reader,
        signer.maker,
        lambda: describe(identity, session, reader),
        http.aclose,
        http.forbid_writes,
        read_funds=lambda: read_allowances(reader),
        request_levels=session.request_levels,
        cancel_all=lambda known: cancel_all(session, known),
    )
