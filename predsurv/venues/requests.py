"""Requests to a venue as values, built by one part of an adapter and sent by another.

Bodies and headers of private requests hold parts of credentials, so neither is ever shown.
"""

from typing import Final, Literal, NamedTuple, NoReturn

Query = tuple[tuple[str, str], ...]
"""Query parameters in order."""

Method = Literal["GET", "POST", "PUT", "DELETE"]

JSON_HEADERS: Final = {"Content-Type": "application/json"}


class VenueRequest(NamedTuple):
    """``path`` is below the venue's base URL; ``body`` is exactly what is sent, None for none."""

    method: Method
    path: str
    body: bytes | None = None
    query: Query = ()

    def __repr__(self) -> str:
        size = "no body" if self.body is None else f"{len(self.body)} bytes"
        return f"VenueRequest({self.method} {self.path}, {size})"


class PrivateHeaders(dict[str, str]):
    """Headers that prove who asks: read by name, never shown, pickled or copied."""

    def __repr__(self) -> str:
        return "PrivateHeaders(***)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("private headers are never pickled or copied")
