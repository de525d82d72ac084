"""Opening one live account for a single question: which venue, with which key, and the order of refusals."""

import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from predsurv.config import Config
from predsurv.core.errors import ConfigError
from predsurv.core.ids import VenueName
from predsurv.net.clock import SystemClock
from predsurv.trade.live.account_names import live_journals
from predsurv.venues.execution.gateway import VenueAccount
from predsurv.venues.registry import EXECUTING, check_venue, open_account


def venue_of_account(config: Config, name: str | None) -> str:
    """Return the venue that is meant; raises ConfigError unless it is named, or there is one with a live account."""
    if name is not None:
        check_venue(name)
        if name not in EXECUTING:
            raise ConfigError(f"{name} takes no real orders; {' and '.join(EXECUTING)} do")
        return name
    traded = [each for each in EXECUTING if any(live_journals(config, VenueName(each)))]
    if len(traded) == 1:
        return traded[0]
    if len(EXECUTING) == 1:
        return EXECUTING[0]
    raise ConfigError(f"which venue? name it with --venue: {', '.join(EXECUTING)}")


def leave_no_core_dump() -> None:
    """Let this process leave no core dump from now on: it would hold the keys."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@asynccontextmanager
async def opened_account(config: Config, venue: str) -> AsyncIterator[VenueAccount]:
    """Log in, and close everything afterwards; raises what logging in raises."""
    leave_no_core_dump()
    account = await open_account(venue, config, SystemClock())
    try:
        yield account
    finally:
        await account.aclose()
