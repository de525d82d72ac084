"""One market as Gamma writes it: a row of the listing, or the same fields in an announcement.

Every field but the ids may be missing, null or of an unexpected type without costing the row: what cannot be read is
named, and reading goes on. Source: Gamma's JSON schemas and rows recorded from it.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import fields as struct_fields

from predsurv.core.errors import WireError
from predsurv.core.ids import EventId
from predsurv.core.native import speedups
from predsurv.venues.parsing import mended_json
from predsurv.venues.polymarket.wire import Fields

NULL: Final = Raw(b"null")
_OBJECTS_MAX: Final = 1_000
"""Most events or tags of a row that are read one by one, after they could not be read together."""

Row = TypeVar("Row", bound=Struct)
Nested = Mapping[str, type[Struct]]
"""The type of the objects in a list, by the name of its field."""


class GammaTag(Struct, gc=False):
    """``{"id":"100265","label":"Geopolitics","slug":"geopolitics",…}``."""

    label: str | None = None


class GammaSeries(Struct, gc=False):
    """``{"id":"10684","slug":"btc-up-or-down-5m","recurrence":"5m",…}``."""

    id: str | None = None


class GammaEvent(Struct, rename="camel", gc=False):
    """A group of markets, as embedded in each of them.

    ``{"id":"260654","slug":"btc-updown-5m-1773307200","title":"…","negRisk":false,
    "negRiskAugmented":false,"series":[{"id":"10684",…}],"tags":[…],…}``
    """

    id: str | None = None
    slug: str | None = None
    title: str | None = None
    neg_risk: bool | None = None
    neg_risk_augmented: bool | None = None
    series: list[GammaSeries] | None = None
    tags: list[GammaTag] | None = None


class GammaFee(Struct, rename="camel", gc=False):
    """``{"exponent":1,"rate":0.04,"takerOnly":true,"rebateRate":0.25}``."""

    rate: Raw = NULL
    exponent: Raw = NULL
    rebate_rate: Raw = NULL


class GammaMarket(Struct, rename="camel", gc=False):
    """One market; every key may be missing or null, lists may be JSON inside a text.

    ``{"id":"559651","question":"Xi Jinping out before 2027?","conditionId":"0xa467…",
    "slug":"xi-jinping-out-before-2027","endDate":"2026-12-31T00:00:00Z","outcomes":"[\\"Yes\\", \\"No\\"]",
    "clobTokenIds":"[\\"3233…\\", \\"2565…\\"]","volumeNum":12071015.216477996,"orderPriceMinTickSize":0.001,
    "orderMinSize":5,"negRisk":false,"acceptingOrders":true,"version":"v1","gameStartTime":"2026-10-11 14:00:00+00",
    "feeSchedule":{"exponent":1,"rate":0.04,"takerOnly":true,"rebateRate":0.25},…}``
    """

    condition_id: str | None = None
    question: str | None = None
    slug: str | None = None
    description: str | None = None
    resolution_source: str | None = None
    category: str | None = None
    version: str | None = None
    market_type: str | None = None
    uma_resolution_status: str | None = None
    end_date: str | None = None
    game_start_time: str | None = None
    fee_type: str | None = None
    outcomes: Raw = NULL
    clob_token_ids: Raw = NULL
    position_ids: Raw = NULL
    volume: Raw = NULL
    volume_num: Raw = NULL
    volume24hr: Raw = NULL
    liquidity: Raw = NULL
    liquidity_num: Raw = NULL
    order_price_min_tick_size: Raw = NULL
    order_min_size: Raw = NULL
    rewards_min_size: Raw = NULL
    rewards_max_spread: Raw = NULL
    active: bool | None = None
    closed: bool | None = None
    archived: bool | None = None
    enable_order_book: bool | None = None
    accepting_orders: bool | None = None
    rfq_enabled: bool | None = None
    neg_risk: bool | None = None
    fees_enabled: bool | None = None
    fee_schedule: GammaFee | None = None
    events: list[GammaEvent] | None = None
    tags: list[GammaTag] | None = None


class ReadRow(NamedTuple):
    """A row; ``delays``: its fields about a delay of takers, by name; ``unreadable``: what of it could not be read."""

    row: GammaMarket
    delays: Mapping[str, Raw]
    unreadable: Mapping[str, str]


_decode: Final = msgspec.json.Decoder(GammaMarket).decode
_read_fields: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_read_objects: Final = msgspec.json.Decoder(list[dict[str, Raw]]).decode
_read_text: Final = msgspec.json.Decoder(str).decode
_read_texts: Final = msgspec.json.Decoder(tuple[str, ...] | None).decode
NO_FIELDS: Final[Mapping[str, Any]] = {}
_NESTED: Final[Nested] = {"events": GammaEvent, "tags": GammaTag, "series": GammaSeries}
_FLAG: Final = bool | None
_NUMBER: Final = re.compile(rb"-?[0-9.]{1,64}\Z")

_DELAY: Final = re.compile(rb'elay(\w{0,64})"\s*:\s*("[^"\\]{0,64}"|[^",{}\[\]\s]{1,64})')
_NAMED_DELAY: Final = re.compile(rb'elay\w{0,64}"\s*:')
_DELAYS_OF_TAKERS: Final = re.compile(r"(taker|order|second|milli|ms)", re.IGNORECASE)


def names_delay(data: bytes) -> bool:
    """Return whether the name of a field in ``data`` may speak of a delay."""
    return b"elay" in data and _NAMED_DELAY.search(data) is not None


_names_delay: Final = names_delay if speedups is None else speedups.names_delay


def read_row(data: bytes | Raw) -> ReadRow:
    """Read one row; raises ValueError when it is no JSON object."""
    body = bytes(data)
    try:
        row, unreadable = _decode(body), NO_FIELDS
    except ValueError as error:
        unreadable = {}
        if not isinstance(error, msgspec.ValidationError):
            body = mended_json(body)
            unreadable["text"] = str(error)
        row = _read_struct(_read_fields(body), GammaMarket, unreadable)
    return ReadRow(row, _delays(body), unreadable)


def announced_row(message: Fields) -> ReadRow:
    """Read the row in a ``new_market`` message, which has the same fields in snake case."""
    fields = {_ANNOUNCED[name]: raw for name, raw in message.items() if name in _ANNOUNCED}
    for name, fallback in (("conditionId", "market"), ("clobTokenIds", "assets_ids"), ("positionIds", "assets_ids")):
        if bytes(fields.get(name, NULL)) in _NOTHING:
            fields[name] = message.get(fallback, NULL)
    event = bytes(message.get("event_message", NULL))
    if event not in _NOTHING:
        fields["events"] = Raw(b"[%s]" % event)
    unreadable: dict[str, str] = {}
    row = _read_struct(fields, GammaMarket, unreadable)
    try:
        row.tags = [GammaTag(label) for label in texts(message.get("tags", NULL))]
    except WireError as error:
        unreadable["tags"] = str(error)
    delays = {name: raw for name, raw in message.items() if "delay" in name.lower()}
    return ReadRow(row, delays, unreadable)


def read_leniently(data: bytes, kind: type[Row], nested: Nested) -> Row:
    """Return what of an object can be read; its other fields keep their defaults. Raises ValueError when it is none."""
    return _read_struct(_read_fields(data), kind, {}, nested)


def may_have_delays(data: bytes) -> bool:
    """Return whether a field of the rows in ``data`` may speak of a delay of takers."""
    return _names_delay(data)


def events_of(row: GammaMarket) -> set[EventId]:
    """Return the events that ``row`` belongs to."""
    return {EventId(event.id) for event in row.events or () if event.id}


def event_ids(data: bytes | Raw) -> set[EventId]:
    """Return the events that a row belongs to, also where the rest of it is unreadable."""
    try:
        return events_of(_read_struct(_read_fields(data), GammaMarket, {}))
    except (ValueError, RecursionError):
        return set()


def texts(raw: Raw) -> tuple[str, ...]:
    """Return a list that may come as JSON, as JSON inside a text, as "" or as null.

    Raises WireError for anything else.
    """
    data = bytes(raw)
    try:
        if data[:1] == b'"':
            return _read_texts(_read_text(data) or "null") or ()
        return _read_texts(data) or ()
    except (ValueError, RecursionError) as error:
        raise WireError(f"not a list of texts: {error}") from error


_NOTHING: Final = frozenset({b"null", b"", b'""', b"[]"})

_ANNOUNCED: Final = {
    "condition_id": "conditionId",
    "question": "question",
    "slug": "slug",
    "description": "description",
    "version": "version",
    "game_start_time": "gameStartTime",
    "fee_type": "feeType",
    "outcomes": "outcomes",
    "clob_token_ids": "clobTokenIds",
    "position_ids": "positionIds",
    "order_price_min_tick_size": "orderPriceMinTickSize",
    "order_min_size": "orderMinSize",
    "active": "active",
    "closed": "closed",
    "enable_order_book": "enableOrderBook",
    "accepting_orders": "acceptingOrders",
    "rfq_enabled": "rfqEnabled",
    "neg_risk": "negRisk",
    "fees_enabled": "feesEnabled",
    "fee_schedule": "feeSchedule",
}
"""Names of fields of ``new_market`` that a row has too, under the name on the right."""


def _read_struct(
    fields: Mapping[str, Raw], kind: type[Row], unreadable: dict[str, str], nested: Nested = _NESTED
) -> Row:
    """Return what of an object can be read, field by field; the names of the rest go into ``unreadable``."""
    values: dict[str, object] = {}
    for field in struct_fields(kind):
        raw = fields.get(field.encode_name)
        if raw is None or bytes(raw) == b"null":
            continue
        try:
            values[field.name] = _read_value(raw, field.encode_name, field.type, unreadable, nested)
        except (ValueError, RecursionError) as error:
            unreadable.setdefault(field.encode_name, str(error))
    return kind(**values)


def _read_value(raw: Raw, name: str, kind: Any, unreadable: dict[str, str], nested: Nested) -> object:
    try:
        return msgspec.json.decode(raw, type=kind, strict=kind != _FLAG)  # "true" and 1 are flags, too
    except msgspec.ValidationError:
        if name in nested:
            rows = _read_objects(raw)[:_OBJECTS_MAX]
            return [_read_struct(each, nested[name], unreadable, nested) for each in rows]
        if name == "id" and _NUMBER.match(bytes(raw)):
            return bytes(raw).decode()
        raise


def _delays(data: bytes) -> Mapping[str, Raw]:
    """Return the fields whose names speak of a delay of takers; a row has one of several, depending on its age.

    Searched as bytes, since their names are not all known, and decoding rows into mappings takes far longer.
    """
    at = data.find(b"elay")
    if at < 0:
        return NO_FIELDS
    found = {}
    while at >= 0:
        match = _DELAY.match(data, at)
        start = data.rfind(b'"', 0, at) + 1
        name = data[start : at + 4].decode("ascii", "replace") if match else ""
        if match and "delay" in name.lower() and len(name) <= 64:
            name += match[1].decode("ascii", "replace")
            if _DELAYS_OF_TAKERS.search(name):
                found[name] = Raw(match[2])
        at = data.find(b"elay", at + 4)
    return found
