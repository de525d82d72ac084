"""What a closed market pays, as the CLOB's record of it says.

Evidence: exactly one token is marked as the winner; or token prices of exactly 1 and 0, which no trade can have, since
prices of trades lie at least a tick inside; or the record's word that the outcome is split evenly, unless prices
contradict it; or prices of exactly 0.5 where the venue announced a settlement without a winner. Anything else leaves
the payout unknown.
"""

from collections.abc import Collection
from decimal import Decimal
from typing import Final

from predsurv.core.errors import WireError
from predsurv.core.events import MarketResolved
from predsurv.core.ids import InstrumentId, MarketId
from predsurv.core.num import ONE, Price
from predsurv.venues.polymarket.gamma_numbers import decimal_of
from predsurv.venues.polymarket.market_parser import VENUE
from predsurv.venues.polymarket.rest import ClobMarket, ClobToken

_HALF: Final = Price(ONE // 2)
_EVEN: Final = [Decimal("0.5")] * 2
_DECIDED: Final = [Decimal(0), Decimal(1)]


def settlement(
    market: ClobMarket, market_id: MarketId, tokens: Collection[str], ts_recv: int, *, announced: bool = False
) -> MarketResolved | None:
    """Return the settlement of the market that has ``tokens``, None while its payouts are not known.

    ``announced``: the venue said that the market settled, and named no winner.
    """
    names = [token.token_id for token in market.tokens]
    if not market.closed or not set(tokens) <= set(names) or len(set(names)) != len(names) or not all(names):
        return None
    pays = _payouts(market, announced=announced)
    if pays is None:
        return None
    payouts = tuple((InstrumentId(name), price) for name, price in zip(names, pays, strict=True))
    return MarketResolved(VENUE, market_id, ts_recv, None, payouts, void=_HALF in pays)


def _payouts(market: ClobMarket, *, announced: bool) -> list[Price] | None:
    winners = [bool(token.winner) for token in market.tokens]
    if sum(winners) == 1:
        return [ONE if winner else Price(0) for winner in winners]
    if len(winners) != 2 or any(winners):
        return None
    prices = [_price(token) for token in market.tokens]
    known = sorted(price for price in prices if price is not None)
    if (known == _EVEN and announced) or (market.is_50_50_outcome and known in ([], _EVEN)):
        return [_HALF, _HALF]
    if known == _DECIDED and not market.is_50_50_outcome:
        return [ONE if price else Price(0) for price in prices]
    return None


def _price(token: ClobToken) -> Decimal | None:
    try:
        return decimal_of(token.price, "price")
    except WireError:
        return None
