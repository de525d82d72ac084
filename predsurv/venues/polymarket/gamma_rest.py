"""Requests to Gamma beside the scan: pages of its list of markets, by whether they are over."""

from collections.abc import Sequence
from typing import Final

from predsurv.core.errors import WireError
from predsurv.core.text import sanitise
from predsurv.net.http import Http
from predsurv.net.rate_limiter import TokenBucket
from predsurv.venues.parsing import ISSUE_CHARS_MAX, mended_json
from predsurv.venues.polymarket.gamma_page import PAGE_ROWS, GammaPage, read_page
from predsurv.venues.polymarket.market_parser import VENUE

_ALWAYS: Final = (("limit", str(PAGE_ROWS)), ("include_tag", "true"))


class GammaRest:
    """The interface at ``gamma_url``; ``http`` belongs to the venue."""

    def __init__(self, gamma_url: str, http: Http, limiter: TokenBucket) -> None:
        self._url = f"{gamma_url.rstrip('/')}/markets/keyset"
        self._http = http
        self._limiter = limiter

    async def page(self, params: Sequence[tuple[str, str]]) -> GammaPage:
        """Return a page of markets, chosen and ordered by ``params``; raises PredsurvError."""
        body = await self._http.get(self._url, params=[*_ALWAYS, *params], limiter=self._limiter)
        try:
            try:
                return read_page(body)
            except ValueError:
                return read_page(mended_json(body))
        except (ValueError, RecursionError) as error:
            detail = sanitise(str(error), ISSUE_CHARS_MAX)
            raise WireError(f"{VENUE}: a page of markets is unreadable: {detail}") from None
