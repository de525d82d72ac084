"""kalshi-sdk: a client of the community, with streams."""

import asyncio
import os
from typing import Any
from urllib.parse import urlsplit

from kalshi import AsyncKalshiClient, KalshiClient, KalshiConfig
from kalshi.models.orders import CreateOrderV2Request

from tests.sdks import market
from tests.sdks.calls import acall, call

row = market.kalshi()
ticker = row["ticker"]
rest, ws = (os.environ[f"PREDSURV_VENUES__KALSHI__{name}_URL"] for name in ("REST", "WS"))
config = KalshiConfig(base_url=rest, ws_base_url=ws.replace(urlsplit(ws).path, "/trade-api/ws/v2"))
key = {
    "key_id": os.environ["PREDSURV_KALSHI_KEY_ID"],
    "private_key_path": os.environ["PREDSURV_KALSHI_PRIVATE_KEY_FILE"],
    "config": config,
}
client = KalshiClient(**key)
call("balance", client.portfolio.balance)


async def first(stream: Any) -> Any:
    """Return the first message of a stream."""
    return await asyncio.wait_for(anext(aiter(await stream)), 30)


async def streams() -> None:
    """Read a message of each channel."""
    async with AsyncKalshiClient(**key) as asked, asked.ws.connect() as session:
        await acall("stream: book", first(session.subscribe_orderbook_delta(tickers=[ticker])))
        await acall("stream: ticker", first(session.subscribe_ticker()))
        await acall("stream: trade", first(session.subscribe_trade()))
        private = {
            "stream: orders": session.subscribe_user_orders(),
            "stream: fills": session.subscribe_fill(),
            "stream: positions": session.subscribe_market_positions(),
        }
        waiting = {name: asyncio.create_task(first(stream)) for name, stream in private.items()}
        await asyncio.sleep(1)
        request = CreateOrderV2Request(
            ticker=ticker,
            side="bid",
            count="5",
            price="0.99",
            time_in_force="immediate_or_cancel",
            self_trade_prevention_type="taker_at_cross",
            client_order_id="streamed",
        )
        await acall("order", asked.orders.create_v2(request=request))
        for name, task in waiting.items():
            await acall(name, task)


asyncio.run(streams())
