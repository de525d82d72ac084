"""Answers of Kalshi to orders, changes and cancels, and what each means.

Source: docs.kalshi.com/getting_started/order_errors ("docs"). The code decides, under ``error`` or at the top; for 400,
403, 404, 409, 410 and 429 an unknown code is a rejection; 408, 5xx and a dropped connection leave the outcome unknown.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct

from predsurv.core.ids import ClientOrderId, OrderId
from predsurv.core.num import parse_micros
from predsurv.venues.answers import ANY_STATUS, SUCCESS, AnswerRule, Fate, Operation, Reaction, Reply, Verdict, judge

_DOCS: Final = "docs: order errors"
_BOTH: Final[tuple[Operation, ...]] = ("place", "cancel")
_PLACE: Final[tuple[Operation, ...]] = ("place",)
_CANCEL: Final[tuple[Operation, ...]] = ("cancel",)
_REJECTING: Final = (400, 404, 409, 410)
_MISMATCH: Final = Verdict("unknown", "reconcile", "the answer is about another order")
_MISSING: Final = Verdict("unknown", "reconcile", "the answer does not name the order")


class _ErrorBody(Struct, gc=False):
    """``{"code":"invalid_order","message":"invalid order","details":"post only cross"}``."""

    code: str | None = None
    message: str | None = None
    details: str | None = None


class _AnswerBody(Struct, gc=False):
    """``{"order_id":"3b23…","client_order_id":"8c35…","fill_count":"0.00","remaining_count":"10.00","ts_ms":1715793600123}``,
    of a cancel ``reduced_by`` instead of the counts, or ``{"error":{…}}``, or an error's fields themselves.
    """

    order_id: str | None = None
    client_order_id: str | None = None
    fill_count: str | None = None
    remaining_count: str | None = None
    reduced_by: str | None = None
    error: _ErrorBody | str | None = None
    code: str | None = None
    message: str | None = None
    details: str | None = None


class _BatchAnswers(Struct, gc=False):
    """``{"orders":[{…},{"error":{…}}]}``: one answer for each order, in their order."""

    orders: list[Raw]


def _success(operations: tuple[Operation, ...], state: str, fate: Fate, example: bytes) -> AnswerRule:
    return AnswerRule(operations, SUCCESS, fate, "go_on", "OpenAPI 3.30; docs", example, state=state)


def _refused(
    status: int, code: str, *, source: str = _DOCS, fate: Fate = "rejected", then: Reaction = "go_on"
) -> AnswerRule:
    example = msgspec.json.encode({"error": {"code": code, "message": code}})
    return AnswerRule(
        _PLACE, (status, *(each for each in _REJECTING if each != status)), fate, then, source, example, code
    )


RULES: Final[tuple[AnswerRule, ...]] = (
    _success(_PLACE, "resting", "accepted", b'{"order_id":"3b23","fill_count":"0.00","remaining_count":"10.00"}'),
    _success(_PLACE, "filled", "accepted", b'{"order_id":"3b23","fill_count":"2.00","remaining_count":"0.00"}'),
    # An order that takes what is there and found nothing: both counts are 0.
    _success(_PLACE, "none", "killed", b'{"order_id":"3b23","fill_count":"0.00","remaining_count":"0.00"}'),
    _success(_CANCEL, "reduced", "accepted", b'{"order_id":"3b23","reduced_by":"1.00","ts_ms":1781821373405}'),
    # The id belongs to an attempt: this says that the attempt arrived before, not what became of it.
    _refused(409, "order_already_exists", fate="unknown", then="reconcile"),
    _refused(409, "fill_or_kill_insufficient_resting_volume", fate="killed"),
    _refused(410, "deprecated_v1_order_endpoint", then="halt"),
    _refused(400, "insufficient_balance"),
    _refused(400, "invalid_price"),
    _refused(400, "invalid_order"),
    _refused(400, "invalid_parameters"),
    _refused(400, "missing_parameters"),
    _refused(400, "MARKET_INACTIVE"),
    _refused(400, "bad_request"),
    # Already gone, or filled: which, only the venue can say. An order id of another shard is not found either.
    AnswerRule(
        _CANCEL, (404,), "rejected", "reconcile", _DOCS, b'{"error":{"code":"not_found","message":"not found"}}'
    ),
    AnswerRule(_CANCEL, _REJECTING, "rejected", "reconcile", _DOCS, b'{"error":{"code":"MARKET_INACTIVE"}}'),
    AnswerRule(_BOTH, (401,), "rejected", "halt", "measured 2026-09-26", b'{"code":"token_authentication_failure"}'),
    AnswerRule(_BOTH, (403,), "rejected", "halt", _DOCS, b'{"error":{"code":"forbidden"}}'),
    AnswerRule(
        _BOTH,
        (429,),
        "rejected",
        "retry_after",
        "docs: rate limits; measured 2026-09-26",
        b'{"error":{"code":"too_many_requests","message":"too many requests"}}',
        is_readable=None,
    ),
    AnswerRule(_PLACE, _REJECTING, "rejected", "go_on", _DOCS, b'{"error":{"code":"something_new"}}'),
    AnswerRule(_BOTH, (408,), "unknown", "reconcile", _DOCS, b'{"error":"timeout"}', is_readable=None),
    AnswerRule(_BOTH, range(500, 600), "unknown", "reconcile", _DOCS, b"<html></html>", is_readable=None),
    AnswerRule(_BOTH, ANY_STATUS, "unknown", "reconcile", "nothing is known of it", b"{}", is_readable=None),
)
"""What each answer means, first match first. A change of an order is judged as an order is: it may have been made."""

_STATUS_OF: Final = {rule.code: rule.statuses[0] for rule in RULES if rule.code and "place" in rule.operations} | {
    "forbidden": 403,
    "too_many_requests": 429,
}
"""The status of an error of an order alone, by its code."""


def read_reply(status: int, body: bytes | Raw, wait_ns: int | None = None) -> Reply:
    """Return an answer; ``wait_ns`` as its headers ask for (ns).

    ``state`` of a success: ``resting``, ``filled``, ``none`` (neither), ``reduced`` (a cancel); "" without an order id.
    """
    given = _decoded(body)
    if given is None:
        return Reply(status, is_readable=False, wait_ns=wait_ns)
    return _reply(status, given, wait_ns)


def judge_order(status: int, body: bytes | Raw, client_order_id: ClientOrderId, wait_ns: int | None = None) -> Verdict:
    """Return what the answer to a placed order means; a success has to name this ``client_order_id`` or none."""
    given = _decoded(body)
    if given is None:
        return judge(RULES, "place", Reply(status, is_readable=False, wait_ns=wait_ns))
    if given.client_order_id not in (None, "", client_order_id):
        return _MISMATCH
    return judge(RULES, "place", _reply(status, given, wait_ns))


def judge_cancel(status: int, body: bytes | Raw, order_id: OrderId, wait_ns: int | None = None) -> Verdict:
    """Return what the answer to a cancel means; a success has to name this order, which it once did not."""
    reply = read_reply(status, body, wait_ns)
    verdict = judge(RULES, "cancel", reply)
    return _MISMATCH if verdict.fate == "accepted" and reply.order_id != order_id else verdict


def judge_change(status: int, body: bytes | Raw, order_id: OrderId, wait_ns: int | None = None) -> Verdict:
    """Return what the answer to an amendment or decrease means; 404 says that the order is gone."""
    reply = read_reply(status, body, wait_ns)
    if status in SUCCESS and reply.order_id:
        return Verdict("accepted", "go_on", "changed", order_id) if reply.order_id == order_id else _MISMATCH
    verdict = judge(RULES, "place", reply._replace(state=""))
    return verdict._replace(reaction="reconcile") if status == 404 and verdict.fate == "rejected" else verdict


def judge_orders(
    status: int, body: bytes, client_order_ids: Sequence[ClientOrderId], wait_ns: int | None = None
) -> tuple[Verdict, ...]:
    """Return what the answer to a batch means for each order; where it does not have one for each, all are unknown.

    So is an order whose error nobody knows: alone, its status would say whether the server refused it or failed.
    """
    rows = _rows(status, body, len(client_order_ids))
    if rows is None:
        return tuple(judge_order(status, body, each, wait_ns) for each in client_order_ids)
    pairs = zip(rows, client_order_ids, strict=True)
    return tuple(judge_order(_order_status(row), row, each, wait_ns) for row, each in pairs)


def judge_cancels(
    status: int, body: bytes, order_ids: Sequence[OrderId], wait_ns: int | None = None
) -> tuple[Verdict, ...]:
    """Return what the answer to a batch of cancels means for each order, found by its id."""
    rows = _rows(status, body, len(order_ids))
    if rows is None:
        return tuple(judge_cancel(status, body, each, wait_ns) for each in order_ids)
    named = {read_reply(200, row).order_id: row for row in rows}
    return tuple(
        judge_cancel(_row_status(named[each]), named[each], each, wait_ns) if each in named else _MISSING
        for each in order_ids
    )


def _decoded(body: bytes | Raw) -> _AnswerBody | None:
    try:
        return msgspec.json.decode(body, type=_AnswerBody)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _reply(status: int, given: _AnswerBody, wait_ns: int | None) -> Reply:
    error = given.error if isinstance(given.error, _ErrorBody) else _ErrorBody(given.code, given.message, given.details)
    plain = given.error if isinstance(given.error, str) else ""
    text = " ".join(part for part in (error.message, error.details, plain) if part)
    state = "" if error.code or plain or not given.order_id else _state(given)
    is_readable = bool(state) if status in SUCCESS else bool(error.code or text)
    return Reply(status, is_readable, error.code or "", text, state, given.order_id or "", wait_ns)


def _state(given: _AnswerBody) -> str:
    if given.reduced_by is not None:
        return "reduced"
    try:
        filled, remaining = (parse_micros(each or "") for each in (given.fill_count, given.remaining_count))
    except ValueError:
        return ""
    return "resting" if remaining else "filled" if filled else "none"


def _rows(status: int, body: bytes, count: int) -> list[Raw] | None:
    """Return the answers in that to a batch, None where there is not one for each of ``count`` orders."""
    if status not in SUCCESS:
        return None
    try:
        rows = msgspec.json.decode(body, type=_BatchAnswers).orders
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return rows if len(rows) == count else None


def _row_status(row: Raw) -> int:
    """Return the status that this answer would have alone: those of a batch have none of their own."""
    given = _decoded(row)
    return 200 if given is None or given.error is None else 400


def _order_status(row: Raw) -> int:
    """Return the status that this answer to an order would have alone: of a failure where nobody knows its code."""
    given = _decoded(row)
    if given is None or (given.error is None and not given.code):
        return 200
    code = given.error.code if isinstance(given.error, _ErrorBody) else given.code
    return _STATUS_OF.get(code or "", 500)
