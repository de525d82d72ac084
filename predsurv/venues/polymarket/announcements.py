"""What the venue announces of whole markets: new ones and settlements. What that leaves open is noted in ``shared``."""

import msgspec

from predsurv.core.errors import WireError
from predsurv.core.events import MarketChange, MarketResolved
from predsurv.core.ids import InstrumentId, MarketId
from predsurv.core.num import ONE, Price
from predsurv.core.text import sanitise
from predsurv.venues.parsing import DETAIL_CHARS_MAX, checked_id, venue_time
from predsurv.venues.polymarket import wire
from predsurv.venues.polymarket.gamma_row import announced_row
from predsurv.venues.polymarket.market_parser import NO_TOKENS, VENUE, ParsedMarket, parse_market
from predsurv.venues.polymarket.open_questions import NewMarket, Unsettled
from predsurv.venues.polymarket.shared_state import PolymarketSharedState, announcement_id


def read_new_market(message: wire.NewMarketMessage, ts_recv: int, shared: PolymarketSharedState) -> MarketChange | None:
    """Return the creation of a market, None when it was told before; whether it trades is left open.

    ``value`` says which fields could not be read, and why the market is left out where it is. Raises WireError when
    its id cannot be read.
    """
    name = wire.text(message.fields, "condition_id", "") or wire.text(message.fields, "market")
    market_id = MarketId(checked_id(name, "market"))
    read = announced_row(message.fields)
    try:
        parsed = parse_market(read, ts_recv, partial=True)
    except WireError as error:
        parsed = ParsedMarket(None, NO_TOKENS, {"outcomes": str(error)})
    about: dict[str, object] = {"slug": read.row.slug or ""}
    if parsed.unreadable:
        about["unreadable"] = [sanitise(field, DETAIL_CHARS_MAX) for field in parsed.unreadable]
    if parsed.left_out:
        about["left_out"] = parsed.left_out
    value, ts_venue = msgspec.json.encode(about).decode(), venue_time(message.timestamp)
    created = MarketChange(VENUE, market_id, None, ts_recv, ts_venue, "created", value, parsed.market)
    if not shared.announcement_ids.add(announcement_id(created)):
        return None
    if parsed.left_out in ("", NO_TOKENS):
        shared.questions.ask_whether_open(NewMarket(read, market_id, parsed.market))
    return created


def read_resolution(
    message: wire.ResolvedMessage, ts_recv: int, shared: PolymarketSharedState
) -> MarketChange | MarketResolved | None:
    """Return a settlement, or the end of a market whose winner is not named; None when that was told before.

    What a market without a winner pays is left open. Raises WireError when the message contradicts itself.
    """
    market_id, ts_venue = MarketId(checked_id(message.market, "market")), venue_time(message.timestamp)
    if not message.winning_asset_id:
        value = msgspec.json.encode({"winning_outcome": sanitise(message.winning_outcome, DETAIL_CHARS_MAX)}).decode()
        closed = MarketChange(VENUE, market_id, None, ts_recv, ts_venue, "closed", value)
        if not shared.announcement_ids.add(announcement_id(closed)):
            return None
        shared.questions.ask_payouts(Unsettled(market_id, message.assets_ids))
        return closed
    if message.winning_asset_id not in message.assets_ids:
        raise WireError("winning_asset_id is none of assets_ids")
    payouts = tuple(
        (InstrumentId(token), ONE if token == message.winning_asset_id else Price(0)) for token in message.assets_ids
    )
    resolved = MarketResolved(VENUE, market_id, ts_recv, ts_venue, payouts)
    shared.forget_settled(market_id)
    return resolved if shared.announcement_ids.add(announcement_id(resolved)) else None
