"""Answers of the CLOB to orders and cancels, and what each means.

Source: docs.polymarket.com/resources/error-codes ("docs"), ``polymarket-client`` 0.14.0 ("client"), reports of users.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from predsurv.core.ids import OrderId
from predsurv.core.text import sanitise
from predsurv.net.http_errors import RETRY_AFTER_MAX
from predsurv.venues.answers import (
    ANY_STATUS,
    CLIENT_ERRORS,
    SUCCESS,
    AnswerRule,
    Fate,
    Operation,
    Reaction,
    Reply,
    Verdict,
    judge,
)

_NS: Final = 1_000_000_000
_DOCS: Final = "docs: error codes"
_CLIENT: Final = "client: order_response"
_BOTH: Final[tuple[Operation, ...]] = ("place", "cancel")
_PLACE: Final[tuple[Operation, ...]] = ("place",)
_PLACED: Final = (200, 201)
_VARIABLE: Final = re.compile(r"0x\w+|\d[\d.]*|'")
_MISMATCH: Final = Verdict("unknown", "reconcile", "the answer is about another order")


class _Body(Struct, gc=False, rename={"error_msg": "errorMsg", "order_id": "orderID"}):
    """``{"errorMsg":"","orderID":"0x…","takingAmount":"","makingAmount":"","status":"live","success":true}`` or
    ``{"error":"…","code":"post_only_mode","retry_after_seconds":79}``.
    """

    success: bool | None = None
    error_msg: str | None = None
    order_id: str | None = None
    status: str | None = None
    error: str | None = None
    code: str | None = None
    retry_after_seconds: int | None = None


class _CancelBody(Struct, gc=False):
    """``{"canceled":["0x…"],"not_canceled":{"0x…":"already canceled or matched"}}``."""

    canceled: list[str]
    not_canceled: dict[str, str]


def _refused(
    status: int, text: str, *, source: str = _DOCS, fate: Fate = "rejected", then: Reaction = "go_on"
) -> AnswerRule:
    example = msgspec.json.encode({"error": text})
    return AnswerRule(_PLACE, (status,), fate, then, source, example, text=_fixed_part(text))


def _fixed_part(text: str) -> str:
    """Return the longest part of an example between what differs: ids, numbers and kinds of apostrophes."""
    return max(_VARIABLE.split(text), key=len).strip()


def _accepted(state: str) -> AnswerRule:
    body = {"success": True, "errorMsg": "", "orderID": "0xab", "status": state}
    return AnswerRule(_PLACE, _PLACED, "accepted", "go_on", _CLIENT, msgspec.json.encode(body), state=state, code="ok")


RULES: Final[tuple[AnswerRule, ...]] = (
    _accepted("live"),
    _accepted("matched"),  # not yet a fill: the trade may still fail on chain
    _accepted("delayed"),  # held for the market's delay; cannot be cancelled, is matched or rests afterwards
    AnswerRule(
        _PLACE,
        _PLACED,
        "unknown",
        "reconcile",
        "docs say placed, the client says rejected",
        b'{"success":true,"errorMsg":"","orderID":"0xab","status":"unmatched"}',
        state="unmatched",
        code="ok",
    ),
    # Whatever the status was, a text with these words is sent with 400: it may have been a failure of the server.
    _refused(400, "context canceled", source="docs: status code reference, note", fate="unknown", then="reconcile"),
    _refused(400, "order 0xab is invalid. Duplicated.", fate="unknown", then="reconcile"),
    # The failures of a server, of one order in a batch.
    _refused(400, "internal server error", fate="unknown", then="reconcile"),
    _refused(400, "internal error", source="HTTP", fate="unknown", then="reconcile"),
    _refused(400, "request timeout", source="HTTP", fate="unknown", then="reconcile"),
    _refused(400, "order match delayed due to market conditions", fate="unknown", then="reconcile"),
    _refused(400, "order couldn't be fully filled. FOK orders are fully filled or killed.", fate="killed"),
    _refused(400, "no orders found to match with FAK order", fate="killed"),
    _refused(400, "address banned", then="halt"),
    _refused(400, "address in closed only mode", then="halt"),
    _refused(400, "the order owner has to be the owner of the API KEY", then="halt"),
    _refused(400, "the order signer address has to be the address of the API KEY", then="halt"),
    _refused(400, "order_version_mismatch", source="client: order version", then="retry_after"),
    _refused(400, "the market is not yet ready to process new orders", then="retry_after"),
    _refused(400, "not enough balance / allowance"),  # newer texts go on behind these words
    _refused(400, "invalid post-only order: order crosses book"),
    _refused(400, "order 0xab crosses the book"),
    _refused(400, "order 0xab is invalid. Price (0.5) breaks minimum tick size rule: 0.01"),
    _refused(400, "order 0xab is invalid. Size (0.5) lower than the minimum: 5"),
    _refused(400, "invalid amount for a marketable BUY order ($0.5), min size: $1", source="reports of users"),
    _refused(
        400,
        "invalid amounts, the market buy orders maker amount supports a max accuracy of 2 decimals",
        source="issues",
    ),
    _refused(400, "invalid expiration"),
    _refused(400, "order canceled in the CTF exchange contract"),
    _refused(400, "Invalid order payload"),
    _refused(400, "Too many orders in payload: 20, max allowed: 15"),
    AnswerRule(_BOTH, (401,), "rejected", "halt", _DOCS, b'{"error":"Unauthorized/Invalid api key"}'),
    # An edge in front of the venue blocks by region or by looks: a page, not the venue's answer. Never retried blindly.
    AnswerRule(
        _BOTH, (403,), "unknown", "halt", "reports of users", b"<html><title>Blocked</title></html>", is_readable=False
    ),
    AnswerRule(_BOTH, (403,), "rejected", "halt", "reports of users", b'{"error":"Trading restricted in your region"}'),
    AnswerRule(_BOTH, (408,), "unknown", "reconcile", "HTTP", b'{"error":"Request Timeout"}', is_readable=None),
    AnswerRule(
        _BOTH,
        (425,),
        "rejected",
        "retry_after",
        "docs: matching engine",
        b'{"error":"Too Early"}',
        phase="closed",
        is_readable=None,
    ),
    AnswerRule(_BOTH, (429,), "rejected", "retry_after", _DOCS, b"Too Many Requests", is_readable=None),
    AnswerRule(
        _BOTH,
        (503,),
        "rejected",
        "retry_after",
        _DOCS,
        b'{"error":"Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."}',
        text="cancel-only",
        phase="cancel_only",
    ),
    AnswerRule(
        _BOTH,
        (503, 400),
        "rejected",
        "retry_after",
        _DOCS,
        b'{"error":"post-only mode: only post-only orders and cancels are allowed","code":"post_only_mode",'
        b'"retry_after_seconds":79}',
        text="post-only mode",
        phase="post_only",
    ),
    AnswerRule(
        _BOTH,
        (503,),
        "rejected",
        "retry_after",
        _DOCS,
        b'{"error":"Trading is currently disabled. Check polymarket.com for updates"}',
        text="trading is currently disabled",
        phase="closed",
    ),
    # Everything else of the server says nothing of the order, its documented texts (a killed FOK among them) included.
    AnswerRule(
        _BOTH, range(500, 600), "unknown", "reconcile", _DOCS, b'{"error":"Internal server error"}', is_readable=None
    ),
    AnswerRule(("cancel",), (400, 404), "rejected", "reconcile", _DOCS, b'{"error":"Invalid orderID"}'),
    AnswerRule(_PLACE, CLIENT_ERRORS, "rejected", "go_on", _DOCS, b'{"error":"something new"}'),
    AnswerRule(_BOTH, ANY_STATUS, "unknown", "reconcile", "nothing is known of it", b"{}", is_readable=None),
)
"""What each answer means, first match first; the texts that a batch gives for one order are those of a single one."""


def read_reply(status: int, body: bytes | msgspec.Raw, wait_ns: int | None = None) -> Reply:
    """Return an answer to a placed order, or to a cancel that failed; ``wait_ns`` as its headers ask for (ns).

    A success counts as one only where the venue says so throughout: ``code`` is then "ok".
    """
    try:
        given = msgspec.json.decode(body, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Reply(status, is_readable=False, wait_ns=wait_ns)
    text, order_id, state = given.error or given.error_msg or "", given.order_id or "", given.status or ""
    if given.retry_after_seconds is not None:
        wait_ns = min(max(given.retry_after_seconds, 0) * _NS, RETRY_AFTER_MAX)
    code = given.code or ""
    if status in SUCCESS and not code and given.success is not None:
        code = "ok" if given.success and order_id and not text else "refused" if text and not order_id else ""
    is_readable = status in SUCCESS or bool(text)
    return Reply(status, is_readable, code, text, state, order_id, wait_ns)


def judge_order(status: int, body: bytes | msgspec.Raw, order_id: OrderId, wait_ns: int | None = None) -> Verdict:
    """Return what the answer to ``POST /order`` means for the order of this hash; see ``read_reply``.

    The texts of ``400`` come as ``errorMsg`` of a ``200`` too, and mean the same there.
    """
    reply = read_reply(status, body, wait_ns)
    if reply.code == "refused" and status in SUCCESS:
        verdict = judge(RULES, "place", reply._replace(status=400))
    else:
        verdict = judge(RULES, "place", reply)
    if reply.order_id and reply.order_id.lower() != order_id.lower():
        return _MISMATCH
    return verdict


def judge_orders(
    status: int, body: bytes, order_ids: Sequence[OrderId], wait_ns: int | None = None
) -> tuple[Verdict, ...]:
    """Return what the answer to ``POST /orders`` means for each order, in their order.

    Where the answers are not as many as the orders, all are unknown.
    """
    if status not in SUCCESS:
        return tuple(judge_order(status, body, order_id, wait_ns) for order_id in order_ids)
    try:
        rows = msgspec.json.decode(body, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        rows = []
    if len(rows) != len(order_ids):
        unreadable = judge(RULES, "place", Reply(status, is_readable=False, wait_ns=wait_ns))
        return (unreadable,) * len(order_ids)
    pairs = zip(rows, order_ids, strict=True)
    return tuple(judge_order(status, row, order_id, wait_ns) for row, order_id in pairs)


def judge_cancels(
    status: int, body: bytes, order_ids: Sequence[OrderId], wait_ns: int | None = None
) -> tuple[Verdict, ...]:
    """Return what the answer to a cancel means for each order that was named in it, in their order.

    An order that could not be cancelled is canceled already, matched, or delayed: which, only the venue can say.
    """
    given = _cancel_answer(status, body)
    if given is None:
        reply = read_reply(status, body, wait_ns)
        return (judge(RULES, "cancel", reply),) * len(order_ids)
    done = {each.lower() for each in given.canceled}
    left = {name.lower(): text for name, text in given.not_canceled.items()}
    return tuple(_cancelled(order_id.lower(), done, left) for order_id in order_ids)


def judge_cancel_all(
    status: int, body: bytes, known: Sequence[OrderId], wait_ns: int | None = None
) -> Mapping[OrderId, Verdict]:
    """Return what the answer to a cancel of all means for the orders ``known`` to be open, and all that it names."""
    given, ours = _cancel_answer(status, body), {each.lower() for each in known}
    named = () if given is None else (*given.canceled, *given.not_canceled)
    ids = (*known, *(OrderId(sanitise(each, 80)) for each in named if each.lower() not in ours))
    return dict(zip(ids, judge_cancels(status, body, ids, wait_ns), strict=True))


def _cancel_answer(status: int, body: bytes) -> _CancelBody | None:
    """Return the answer of a cancel that was heard, None for any other."""
    if status not in SUCCESS:
        return None
    try:
        return msgspec.json.decode(body, type=_CancelBody)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _cancelled(order_id: str, done: set[str], left: dict[str, str]) -> Verdict:
    if order_id in left:
        return judge(_NOT_CANCELLED, "cancel", Reply(200, is_readable=True, text=left[order_id], order_id=order_id))
    if order_id in done:
        return Verdict("accepted", "go_on", "cancelled", order_id)
    return Verdict("unknown", "reconcile", "the answer does not name the order", order_id)


_NOT_CANCELLED: Final = (
    AnswerRule(("cancel",), (200,), "rejected", "reconcile", "docs: cancel orders", b"already canceled or matched"),
)
