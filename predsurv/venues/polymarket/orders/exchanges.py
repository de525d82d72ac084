"""The contracts that orders are signed for, and which of them an instrument trades on.

Source: ``polymarket-client`` 0.14.0 (environments, protocol) and the venue's migration guide: the market's ``version``
decides, ``v1`` trades ``clobTokenIds``, ``v2`` trades ``positionIds``.
"""

from typing import Final, NamedTuple

from predsurv.venues.requests import OrderRefusal

POLYGON: Final = 137
"""The chain that the venue settles on."""

TOKEN_ID_MAX: Final = 2**256 - 1
POSITION_ID_ZEROS: Final = (2**64 - 1) << 40
"""Bits that are zero in every position id."""


class ExchangeContract(NamedTuple):
    """A contract that settles orders; ``version`` is that of its EIP-712 domain."""

    name: str
    version: str
    address: str
    chain_id: int = POLYGON


STANDARD: Final = ExchangeContract("standard", "2", "0xE111180000d2663C0091e4f400237545B87B996B")
NEG_RISK: Final = ExchangeContract("neg_risk", "2", "0xe2222d279d744050d28e00520010520000310F59")
EXCHANGE_V3: Final = ExchangeContract("v3", "3", "0xe3333700cA9d93003F00f0F71f8515005F6c00Aa")


def exchange_of(version: str, *, neg_risk: bool, token_id: int) -> ExchangeContract | OrderRefusal:
    """Return the contract for ``token_id`` of a market of ``version``; versions but ``v1`` and ``v2`` are refused.

    The form of the id is a cross-check: where it contradicts the version, nothing is signed.
    """
    if version not in ("v1", "v2"):
        return OrderRefusal("exchange", f"unknown market version {version[:16]!r}")
    if not 0 < token_id <= TOKEN_ID_MAX:
        return OrderRefusal("not_ours", "not a token id")
    if is_position_id(token_id) != (version == "v2"):
        return OrderRefusal("exchange", f"the token id does not have the form of version {version}")
    if version == "v2":
        return EXCHANGE_V3
    return NEG_RISK if neg_risk else STANDARD


def is_position_id(token_id: int) -> bool:
    """Return whether an id has the form of those that markets of version ``v2`` trade."""
    return token_id & POSITION_ID_ZEROS == 0
