"""ccxt: its class for Polymarket."""

import asyncio
import json
import os

import ccxt.prediction

from tests.sdks import market
from tests.sdks.calls import acall

prefix = "PREDSURV_VENUES__POLYMARKET__"
row = market.polymarket()
token = json.loads(row["clobTokenIds"])[0]


async def main() -> None:
    """Call what ccxt has one name for."""
    client = ccxt.prediction.polymarket(
        {"privateKey": os.environ["PREDSURV_POLYMARKET_PRIVATE_KEY"], "walletAddress": market.address()}
    )
    client.options["signatureType"] = 0
    client.urls["api"] = {
        "gamma": os.environ[f"{prefix}GAMMA_URL"],
        "clob": os.environ[f"{prefix}CLOB_URL"],
        "data": os.environ[f"{prefix}DATA_URL"],
        "ws": os.environ[f"{prefix}WS_MARKET_URL"],
        "wsUser": os.environ[f"{prefix}WS_USER_URL"],
    }
    await acall("markets", client.load_markets())
    await acall("events", client.fetch_events({"query": "will"}))
    outcome = next(
        each["outcome"] for found in client.markets.values() for each in found["outcomes"] if each["outcomeId"] == token
    )
    await acall("ticker", client.fetch_ticker(outcome))
    await acall("book", client.fetch_order_book(outcome))
    await acall("trades", client.fetch_trades(outcome))
    await acall("history", client.fetch_ohlcv(outcome))
    await acall("time", client.fetch_time())
    await acall("status", client.fetch_status())
    placed = await acall("create", client.create_order(outcome, "limit", "buy", 20, 0.05))
    await acall("open orders", client.fetch_open_orders())
    await acall("one order", client.fetch_order(placed["id"]))
    await acall("cancel", client.cancel_order(placed["id"]))
    await acall("market order", client.create_order(outcome, "market", "buy", 10, 0.9))
    await acall("fills", client.fetch_my_trades())
    await acall("balance", client.fetch_balance())
    await acall("watch book", asyncio.wait_for(client.watch_order_book(outcome), 20))
    await client.close()


asyncio.run(main())
