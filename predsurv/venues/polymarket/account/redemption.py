"""What a wallet holds that can be turned into money on chain: shares of settled markets, and complete sets. Pure.

Source: positions of the venue's Data API (``/positions``), whose prices of settled markets are what a share pays.
Shares of markets of version ``v1`` are redeemed at the conditional tokens contract or the neg-risk adapter, those of
``v2`` at the router (migration guide).
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final, Literal

import msgspec
from msgspec import Raw, Struct

from predsurv.core.errors import WireError
from predsurv.core.num import MICROS, Money, Price, Size, notional, parse_micros_floor
from predsurv.core.text import sanitise
from predsurv.venues.parsing import DETAIL_CHARS_MAX, checked_id
from predsurv.venues.polymarket.orders.exchanges import is_position_id

RedemptionKind = Literal["redeem", "merge"]
Contract = Literal["conditional tokens", "neg-risk adapter", "router"]

_ZERO: Final = Raw(b"0")
_NULL: Final = Raw(b"null")
_TEXT_MAX: Final = 300
_PAYOUTS: Final = (0, MICROS // 2, MICROS)


class WalletPosition(Struct, gc=False, rename="camel"):
    """``{"proxyWallet":"0x5668…","asset":"7132…","conditionId":"0xc8f1…","size":150.5,"curPrice":0.6,
    "redeemable":false,"mergeable":false,"title":"…","outcome":"Yes","outcomeIndex":0,"negativeRisk":false,…}``
    """

    asset: str
    condition_id: str
    size: Raw = _ZERO
    cur_price: Raw = _NULL
    redeemable: bool = False
    title: str = ""
    outcome: str = ""
    negative_risk: bool = False


class HeldToken(Struct, frozen=True):
    """Shares of one outcome (micros) of a market that ``is_settled`` or trades.

    ``pays``: what a share pays, None where that is not stated.
    """

    market_id: str
    token_id: str
    title: str
    outcome: str
    size: Size
    is_settled: bool
    pays: Price | None
    neg_risk: bool


class Redeemable(Struct, frozen=True):
    """``size`` shares, or complete sets, that pay ``amount`` (None: not stated) at ``contract``; micros."""

    kind: RedemptionKind
    market_id: str
    title: str
    outcome: str
    size: Size
    amount: Money | None
    contract: Contract


def read_positions(body: bytes) -> tuple[HeldToken, ...]:
    """Return a page of positions; raises WireError for one that cannot be read: a row left out would be money lost."""
    try:
        rows = msgspec.json.decode(body, type=list[WalletPosition])
        return tuple(_held(row) for row in rows)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise WireError(f"not a page of positions: {sanitise(str(error), DETAIL_CHARS_MAX)}") from None


def redeemables(held: Sequence[HeldToken]) -> tuple[Redeemable, ...]:
    """Return what can be redeemed (settled shares, those that pay nothing included) and merged, by market."""
    found = [*(_redeemed(each) for each in held if each.is_settled and each.size), *_merged(held)]
    return tuple(sorted(found, key=lambda each: (-(each.amount or 0), each.market_id, each.outcome)))


def _held(row: WalletPosition) -> HeldToken:
    return HeldToken(
        checked_id(row.condition_id, "a condition id"),
        checked_id(row.asset, "a token id"),
        sanitise(row.title, _TEXT_MAX),
        sanitise(row.outcome, _TEXT_MAX),
        Size(parse_micros_floor(_number(row.size))),
        row.redeemable,
        _payout(row) if row.redeemable else None,
        row.negative_risk,
    )


def _payout(row: WalletPosition) -> Price | None:
    """Return what a share of a settled market pays: nothing, half a dollar, or one; other prices are no payout."""
    if bytes(row.cur_price) == b"null":
        return None
    price = parse_micros_floor(_number(row.cur_price))
    return Price(price) if price in _PAYOUTS else None


def _number(raw: Raw) -> str:
    return bytes(raw).decode().strip('"')


def _redeemed(held: HeldToken) -> Redeemable:
    amount = None if held.pays is None else notional(held.pays, held.size)
    return Redeemable("redeem", held.market_id, held.title, held.outcome, held.size, amount, _contract(held))


def _merged(held: Sequence[HeldToken]) -> Iterator[Redeemable]:
    """Yield complete sets of markets that trade: one share of either outcome pays a dollar at any time."""
    by_market: defaultdict[str, list[HeldToken]] = defaultdict(list)
    for each in held:
        if not each.is_settled and each.size:
            by_market[each.market_id].append(each)
    for market, tokens in by_market.items():
        if len(tokens) == 2:
            one, other = tokens
            sets = min(one.size, other.size)
            both = f"{one.outcome} + {other.outcome}"
            yield Redeemable("merge", market, one.title, both, sets, Money(sets), _contract(one))


def _contract(held: HeldToken) -> Contract:
    if held.token_id.isascii() and held.token_id.isdigit() and is_position_id(int(held.token_id)):
        return "router"
    return "neg-risk adapter" if held.neg_risk else "conditional tokens"
