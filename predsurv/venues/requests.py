"""Requests to a venue as values, built by one part of an adapter and sent by another.

Bodies and headers of private requests hold parts of credentials, so neither is ever shown.
"""

from typing import Final, Literal, NamedTuple, NoReturn

Query = tuple[tuple[str, str], ...]
"""Query parameters in order."""

Method = Literal["GET", "POST", "PUT", "DELETE"]

JSON_HEADERS: Final = {"Content-Type": "application/json"}


RefusalReason = Literal[
    "not_ours",  # of another venue or market, or no id of an outcome
    "exchange",  # no telling on which exchange the instrument trades
    "tick_size",  # the venue has no such tick size
    "price_range",  # outside of what can trade
    "off_grid",  # not a price of this market
    "too_small",  # nothing is left after rounding
    "count",  # a size that the venue does not have
    "price_not_encodable",  # rounded amounts would mean another price than the limit
    "post_only",  # an order that only takes cannot be post-only
    "reduce_only",  # only an order that takes what is there may be
    "expiration",  # too soon, missing, or of an order that does not expire
    "client_order_id",  # no id that the venue would take
    "batch",  # empty, or more than the venue takes
    "allowance",  # the contract that would trade it may not take so much
    "collateral",  # the part of the exchange where it would rest does not have its cash
]


class OrderRefusal(NamedTuple):
    """Why no request was built, because the venue would refuse it or do something else; ``detail`` is for people."""

    reason: RefusalReason
    detail: str


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
