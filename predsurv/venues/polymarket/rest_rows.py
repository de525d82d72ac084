"""The CLOB's statements about a market put into the row that Gamma has of it, so that one parser reads both."""

from collections.abc import Mapping

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from predsurv.venues.polymarket.gamma_row import GammaFee, GammaMarket, ReadRow
from predsurv.venues.polymarket.rest import ClobMarket, ClobTerms, read_terms_fee


def with_terms(read: ReadRow, terms: ClobTerms) -> ReadRow:
    """Return the row with what ``terms`` state; a fee that they lack is none, one that is unreadable is unknown."""
    row = _with_tokens(read.row, {token.t: token.o for token in terms.t}, terms.v)
    free, fee = bytes(terms.fd) == b"null", _fee(terms.fd)
    row = replace(
        row,
        accepting_orders=terms.ao,
        enable_order_book=True if terms.ao else row.enable_order_book,
        active=True if terms.ao else row.active,
        neg_risk=bool(terms.nr),
        rfq_enabled=terms.rfqe,
        order_min_size=_stated(terms.mos, row.order_min_size),
        order_price_min_tick_size=_stated(terms.mts, row.order_price_min_tick_size),
        game_start_time=_date(terms.gst, row.game_start_time),
        fees_enabled=not free,
        fee_schedule=fee or row.fee_schedule,
    )
    return ReadRow(row, {"secondsDelay": terms.sd, "itode": terms.itode}, read.unreadable)


def with_state(read: ReadRow, state: ClobMarket) -> ReadRow:
    """Return the row with what ``state`` says."""
    row = _with_tokens(read.row, {token.token_id: token.outcome for token in state.tokens}, None)
    row = replace(
        row,
        active=row.active if state.active is None else state.active,
        closed=state.closed,
        archived=state.archived,
        enable_order_book=state.enable_order_book,
        accepting_orders=state.accepting_orders,
        neg_risk=row.neg_risk if state.neg_risk is None else state.neg_risk,
        order_min_size=_stated(state.minimum_order_size, row.order_min_size),
        order_price_min_tick_size=_stated(state.minimum_tick_size, row.order_price_min_tick_size),
        game_start_time=_date(state.game_start_time, row.game_start_time),
    )
    delays: Mapping[str, Raw] = {"secondsDelay": state.seconds_delay}
    return ReadRow(row, read.delays or delays, read.unreadable)


def _with_tokens(row: GammaMarket, tokens: Mapping[str, str], version: str | None) -> GammaMarket:
    """Return the row with ``tokens`` (outcomes by id) where it has none: the CLOB names those that trade."""
    row = replace(row, version=version or row.version)
    if not tokens or not all(tokens) or bytes(row.clob_token_ids) not in (b"null", b"[]", b'"[]"', b'""'):
        return row
    ids = Raw(msgspec.json.encode(list(tokens)))
    labels = Raw(msgspec.json.encode(list(tokens.values()))) if all(tokens.values()) else row.outcomes
    return replace(row, clob_token_ids=ids, position_ids=ids, outcomes=labels)


def _stated(raw: Raw, known: Raw) -> Raw:
    return known if bytes(raw) == b"null" else raw


def _fee(raw: Raw) -> GammaFee | None:
    if bytes(raw) == b"null":
        return None
    try:
        fee = read_terms_fee(raw)
    except ValueError:
        return None
    return GammaFee(fee.r, fee.e)


def _date(raw: Raw, known: str | None) -> str | None:
    """Return the text of a date; "" where the CLOB says that there is none."""
    try:
        return msgspec.json.decode(raw, type=str | None) or known or ""
    except ValueError:
        return known
