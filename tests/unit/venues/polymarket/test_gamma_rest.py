"""Pages of Gamma's list: what is asked, what is mended, and what is refused."""

import httpx
import pytest

from predsurv.core.errors import WireError
from predsurv.net.clock import ManualClock
from predsurv.net.http import Http
from predsurv.net.rate_limiter import TokenBucket
from predsurv.venues.polymarket.gamma_rest import GammaRest


class Gamma:
    """A Gamma that answers ``body``."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.asked: list[httpx.Request] = []
        clock = ManualClock(jumps=True)
        http = Http(clock, lambda: 0.5, transport=httpx.MockTransport(self._answer))
        self.rest = GammaRest(
            "https://gamma.example/", http, TokenBucket(clock, tokens=9, period=1_000_000_000, burst=9)
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return httpx.Response(200, content=self.body)


async def test_a_page_is_asked_for_with_its_tags_and_whole() -> None:
    gamma = Gamma(b'{"markets":[{"id":"1"}],"next_cursor":"x"}')
    page = await gamma.rest.page([("closed", "true")])
    assert ([bytes(each) for each in page.markets], page.next_cursor) == ([b'{"id":"1"}'], "x")
    (request,) = gamma.asked
    assert request.url.path == "/markets/keyset"
    assert (request.url.params["closed"], request.url.params["include_tag"]) == ("true", "true")


async def test_a_page_with_a_torn_character_is_mended() -> None:
    gamma = Gamma(b'{"markets":[{"id":"1","question":"\xff?"}]}')
    assert len((await gamma.rest.page([])).markets) == 1


@pytest.mark.parametrize("body", [b"<html>", b'{"markets":7}', b"[" * 50_000])
async def test_what_is_no_page_is_refused(body: bytes) -> None:
    with pytest.raises(WireError, match="polymarket: a page of markets is unreadable: "):
        await Gamma(body).rest.page([])
