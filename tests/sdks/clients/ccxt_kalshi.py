"""ccxt: its class for Kalshi."""

import asyncio
import os
from pathlib import Path

import ccxt.prediction

from tests.sdks import market
from tests.sdks.calls import acall

row = market.kalshi()
private_key = Path(os.environ["PREDSURV_KALSHI_PRIVATE_KEY_FILE"]).read_text()


async def main() -> None:
    """Call what ccxt has one name for."""
    client = ccxt.prediction.kalshi(
        {
            "apiKey": os.environ["PREDSURV_KALSHI_KEY_ID"],
            "privateKey": private_key,
        }
    )
    client.urls["api"]["kalshi"] = os.environ["PREDSURV_VENUES__KALSHI__REST_URL"]
    await acall("markets", client.load_markets())
    await acall("events", client.fetch_events({"series_ticker": row["event_ticker"].partition("-")[0]}))
    outcome = next(
        each["outcome"]
        for found in client.markets.values()
        for each in found["outcomes"]
        if found["id"] == row["ticker"] and each["label"].lower() != "no"
    )
    await acall("ticker", client.fetch_ticker(outcome))
    await acall("book", client.fetch_order_book(outcome))
    placed = await acall("create", client.create_order(outcome, "limit", "buy", 5, 0.05))
    await acall("open orders", client.fetch_open_orders())
    await acall("one order", client.fetch_order(placed["id"]))
    await acall("cancel", client.cancel_order(placed["id"]))
    await acall("IOC", client.create_order(outcome, "limit", "buy", 5, 0.99, {"time_in_force": "immediate_or_cancel"}))
    await acall("trades", client.fetch_trades(outcome))
    await acall("history", client.fetch_ohlcv(outcome))
    await acall("fills", client.fetch_my_trades())
    await acall("positions", client.fetch_positions())
    await acall("balance", client.fetch_balance())
    await acall("status", client.fetch_status())
    await client.close()


asyncio.run(main())
