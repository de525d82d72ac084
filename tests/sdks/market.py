"""The market that the clients trade: an open one of cent prices with room around its book. Standard library only."""

import json
import os
import urllib.request
from typing import Any


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - loopback
        return json.load(answer)


def polymarket() -> dict[str, Any]:
    """Return Gamma's row of a market that does not end soon."""
    base = os.environ["PREDSURV_VENUES__POLYMARKET__GAMMA_URL"]
    rows = _get(f"{base}/markets/keyset?closed=false&limit=100")["markets"]
    fitting = [
        row
        for row in rows
        if row.get("orderPriceMinTickSize") == 0.01
        and not row["negRisk"]
        and 0.2 < row.get("bestBid", 0) < row.get("bestAsk", 0) < 0.8
    ]
    oldest = min(row["createdAt"] for row in fitting)
    known = [row for row in fitting if row["createdAt"] == oldest]  # of new ones the CLOB knows nothing for a while
    found: dict[str, Any] = max(known, key=lambda row: str(row["endDate"]))
    return found


def kalshi() -> dict[str, Any]:
    """Return a row of ``/markets`` of a market that does not end soon."""
    base = os.environ["PREDSURV_VENUES__KALSHI__REST_URL"]
    rows = _get(f"{base}/markets?status=open&limit=1000")["markets"]
    fitting = [
        row
        for row in rows
        if row["price_ranges"][0]["step"] == "0.0100"
        and 0.2 < float(row["yes_bid_dollars"]) < float(row["yes_ask_dollars"]) < 0.8
    ]
    found: dict[str, Any] = max(fitting, key=lambda row: str(row["close_time"]))
    return found


def address() -> str:
    """Return the address of the throw-away key, which the environment names."""
    return os.environ["SIMULATED_ADDRESS"]
