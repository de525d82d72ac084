"""Requests to Kalshi's REST interface: rate limited, signed when there is a key, refusals explained.

Catalogue and polling share one request limit and one explanation of a refused key.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from predsurv.core.errors import AmbiguousError, PermanentError, TransientError, WireError
from predsurv.core.text import sanitise
from predsurv.net.http import Http, Params, StatusError
from predsurv.net.http_errors import http_date
from predsurv.net.rate_limiter import TokenBucket
from predsurv.ports import Clock, RequestLevel
from predsurv.venues.kalshi.auth import KEY_ID, RequestSigner
from predsurv.venues.kalshi.market_parser import VENUE
from predsurv.venues.kalshi.rest_wire import read_limits
from predsurv.venues.parsing import ISSUE_CHARS_MAX

ANONYMOUS_PER_SECOND: Final = 3
"""The venue publishes no limit for requests without a key; at 4 to 5 a second some were refused."""
ASIDE_PER_SECOND: Final = 1
"""How many of those are left to what is not polled as fast as possible, so that books keep the rest."""

TOKENS_PER_REQUEST: Final = 10
REQUESTS_PER_SECOND_MAX: Final = 200
SKEW_TOLERATED: Final = 5_000_000_000
"""Clock difference (ns) that is not taken for the cause of a refusal."""

_S: Final = 1_000_000_000
_logger = logging.getLogger(__name__)


class RequestBudget:
    """Request limit of one account (or, without a key, of this machine), shared by all requests.

    ``share``: one part in so many of the limit is taken. ``aside``: the part of the anonymous limit that requests
    beside the books share. ``is_known``: the account's own limit was asked for.
    """

    def __init__(self, clock: Clock, share: int = 1) -> None:
        self.share = share
        self.limiter = _bucket(clock, max(ANONYMOUS_PER_SECOND // share, 1), max(ANONYMOUS_PER_SECOND // share, 1))
        self.aside = _bucket(clock, ASIDE_PER_SECOND, ASIDE_PER_SECOND)
        self.lock = asyncio.Lock()
        self.is_known = False

    def levels(self, *, keyed: bool) -> Mapping[str, RequestLevel]:
        """Return the room of the limit of all requests, and without a key of the part beside the books."""
        levels = {"requests": self.limiter.level()}
        return levels if keyed else {**levels, "aside": self.aside.level()}


class KalshiRest:
    """The REST interface at ``base_url``; ``signer`` is None without a key.

    ``aside``: requests without a key keep to ``ASIDE_PER_SECOND`` as well.
    """

    def __init__(
        self,
        base_url: str,
        http: Http,
        clock: Clock,
        budget: RequestBudget,
        *,
        signer: RequestSigner | None = None,
        aside: bool = False,
    ) -> None:
        self._aside = budget.aside if aside and signer is None else None
        self._base = base_url.rstrip("/")
        self._http = http
        self._clock = clock
        self._budget = budget
        self._signer = signer

    async def get(self, path: str, params: Params | None = None) -> bytes:
        """Return the body of ``path``; transient failures are retried.

        Raises RateLimited, TransientError, StatusError, WireError, or PermanentError for a refused key.
        """
        if self._signer is not None and not self._budget.is_known:
            async with self._budget.lock:
                if not self._budget.is_known:
                    await self._read_limits()
                    self._budget.is_known = True
        if self._aside is not None:
            await self._aside.acquire()
        return await self._get(path, params)

    async def refusal(self) -> PermanentError:
        """Return the error that explains a refused key: a wrong clock is refused like a wrong key."""
        skew = await self._skew()
        if skew is not None and abs(skew) > SKEW_TOLERATED:
            return PermanentError(
                f"a signed request was refused: this machine's clock is {abs(skew) // _S} s "
                f"{'ahead of' if skew > 0 else 'behind'} the venue's; set it by NTP and try again"
            )
        return PermanentError(
            f"the API key was refused; check {KEY_ID} and the key file (both are for one environment, demo or "
            "production), or unset them to go without a key"
        )

    async def aclose(self) -> None:
        """Close all connections; safe to call twice."""
        await self._http.aclose()

    async def _get(self, path: str, params: Params | None) -> bytes:
        url, signer = self._base + path, self._signer
        sign = None if signer is None else lambda: signer.headers("GET", url)
        try:
            return await self._http.get(url, params=params, sign=sign, limiter=self._budget.limiter)
        except StatusError as error:
            if error.status in (401, 403) and signer is not None:
                raise await self.refusal() from None
            raise

    async def _read_limits(self) -> None:
        """Set the account's own request limit; without an answer the anonymous one stays."""
        try:
            read = read_limits(await self._get("/account/limits", None)).read
            rate = min(max(read.refill_rate // TOKENS_PER_REQUEST, 1), REQUESTS_PER_SECOND_MAX)
            burst = min(max(read.bucket_capacity // TOKENS_PER_REQUEST, 1), REQUESTS_PER_SECOND_MAX)
        except (StatusError, WireError, ValueError, RecursionError) as error:
            detail = sanitise(str(error), ISSUE_CHARS_MAX)
            _logger.warning("%s: the account's request limit is not known (%s); using the anonymous one", VENUE, detail)
            return
        if not read.refill_rate:
            return
        share = self._budget.share
        self._budget.limiter = _bucket(self._clock, max(rate // share, 1), max(burst // share, 1))

    async def _skew(self) -> int | None:
        """Return how far this clock is ahead of the venue's in ns, to a second; None when unknown."""
        try:
            reply = await self._http.send_once("GET", f"{self._base}/exchange/status")
        except (TransientError, AmbiguousError, PermanentError):
            return None
        moment = http_date(reply.headers.get("Date"))
        return None if moment is None else self._clock.now() - moment


def _bucket(clock: Clock, per_second: int, burst: int) -> TokenBucket:
    return TokenBucket(clock, tokens=per_second, period=_S, burst=burst)
