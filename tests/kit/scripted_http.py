"""An HTTP client whose server is a list of answers, for tests that need no socket."""

from typing import NamedTuple

import httpx

from predsurv.net.clock import ManualClock
from predsurv.net.http import Http


class Answer(NamedTuple):
    """What is answered to one request; ``lost``: it arrives, and nothing comes back."""

    body: bytes = b"{}"
    status: int = 200
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed
    lost: bool = False


NO_ROUTE = Answer(status=0)
"""The request cannot be sent."""


class ScriptedHttp:
    """Gives ``answers`` in their order, the last one for ever; ``requests`` are those that arrived or tried to."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.clock = ManualClock(jumps=True)
        self.http = Http(self.clock, lambda: 0.0, transport=httpx.MockTransport(self._answer))

    def paths(self) -> list[str]:
        """The path and query of every request."""
        return [request.url.raw_path.decode() for request in self.requests]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is NO_ROUTE:
            raise httpx.ConnectError("no route to host")
        if answer.lost:
            raise httpx.ReadError("reset")
        return httpx.Response(answer.status, content=answer.body, headers=answer.headers)
