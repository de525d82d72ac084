"""A REST interface made of functions, for tests that need no socket."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from predsurv.net.clock import ManualClock
from predsurv.net.http import Http
from predsurv.venues.kalshi.auth import RequestSigner
from predsurv.venues.kalshi.rest import KalshiRest, RequestBudget

BASE = "https://external-api.kalshi.com/trade-api/v2"
Handler = Callable[[httpx.Request], httpx.Response]


class Pages:
    """Answers from ``routes``: by path a list of answers, the last of which is given for ever."""

    def __init__(self, **routes: Any) -> None:
        self.routes: dict[str, Iterator[Any]] = {}
        self.requests: list[httpx.Request] = []
        self.clock = ManualClock(jumps=True)
        self.set(series=[{"series": []}], events=[{"events": [], "cursor": ""}], series__fee_changes=[{}])
        self.set(**routes)

    def set(self, **routes: Any) -> None:
        """Answer ``/a/b`` with the list given as ``a__b``."""
        for name, answers in routes.items():
            self.routes["/" + name.replace("__", "/")] = _endless(answers)

    def rest(self, signer: RequestSigner | None = None) -> KalshiRest:
        """Return the interface as the adapter sees it."""
        http = Http(self.clock, lambda: 0.5, transport=httpx.MockTransport(self._answer))
        return KalshiRest(BASE, http, self.clock, RequestBudget(self.clock), signer=signer)

    def paths(self) -> list[str]:
        """Return the paths asked for so far."""
        return [request.url.path.removeprefix("/trade-api/v2") for request in self.requests]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        route = self.routes.get(request.url.path.removeprefix("/trade-api/v2"))
        given = next(route) if route is not None else httpx.Response(404, json={"error": {"code": "not_found"}})
        if callable(given):
            given = given(request)
        if isinstance(given, httpx.Response):
            return given
        return httpx.Response(200, content=given if isinstance(given, bytes) else json.dumps(given).encode())


def _endless(answers: list[Any]) -> Iterator[Any]:
    yield from answers[:-1]
    while True:
        yield answers[-1]
