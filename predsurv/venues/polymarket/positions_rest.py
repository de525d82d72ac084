"""The Data API's list of what a wallet holds: public, read page by page."""

from typing import Final

from predsurv.core.errors import WireError
from predsurv.net.http import Http
from predsurv.venues.polymarket.account.redemption import HeldToken, read_positions

PAGE_ROWS: Final = 500
"""Rows that are asked for at once, which is the most that the venue gives."""
PAGES_MAX: Final = 100


async def wallet_positions(data_url: str, wallet: str, http: Http) -> tuple[HeldToken, ...]:
    """Return everything that ``wallet`` (its address) holds, however little; raises PredsurvError."""
    found = dict[str, HeldToken]()
    for page in range(PAGES_MAX):
        query = (
            ("user", wallet),
            ("sizeThreshold", "0"),
            ("limit", str(PAGE_ROWS)),
            ("offset", str(page * PAGE_ROWS)),
        )
        rows = read_positions(await http.get(f"{data_url.rstrip('/')}/positions", params=query))
        found.update((each.token_id, each) for each in rows)
        if len(rows) < PAGE_ROWS:
            return tuple(found.values())
    raise WireError(f"the wallet's positions have more than {PAGES_MAX} pages")
