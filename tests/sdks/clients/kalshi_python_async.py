"""kalshi_python_async: the official client of Kalshi, asynchronous."""

import asyncio
import os
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import kalshi_python_async as kalshi

from tests.sdks import market
from tests.sdks.calls import acall

row = market.kalshi()
ticker, event = row["ticker"], row["event_ticker"]
configuration = kalshi.Configuration(host=os.environ["PREDSURV_VENUES__KALSHI__REST_URL"])
configuration.api_key_id = os.environ["PREDSURV_KALSHI_KEY_ID"]
configuration.private_key_pem = Path(os.environ["PREDSURV_KALSHI_PRIVATE_KEY_FILE"]).read_text()
count = iter(range(1, 1_000))


def request(price: str = "0.0500", tif: str = "good_till_canceled") -> dict[str, Any]:
    """Return the fields of an order; the client takes those of a body as arguments."""
    return {
        "ticker": ticker,
        "side": "bid",
        "count": "5",
        "price": price,
        "time_in_force": tif,
        "self_trade_prevention_type": "taker_at_cross",
        "client_order_id": f"async-{next(count)}",
    }


async def part(answer: Awaitable[Any], name: str) -> Any:
    """Return a field of an answer."""
    return getattr(await answer, name)


async def listed(answer: Awaitable[Any]) -> list[Any]:
    """Return an answer that may be empty, in a list."""
    return [await answer]


async def main() -> None:
    """Call everything once."""
    client = kalshi.KalshiClient(configuration)
    markets, events, exchange = kalshi.MarketApi(client), kalshi.EventsApi(client), kalshi.ExchangeApi(client)
    orders, portfolio, groups = kalshi.OrdersApi(client), kalshi.PortfolioApi(client), kalshi.OrderGroupsApi(client)
    now = int(time.time())
    await acall("markets", part(markets.get_markets(limit=100), "markets"))
    await acall("market", part(markets.get_market(ticker), "market"))
    await acall("events", part(events.get_events(limit=100, with_nested_markets=True), "events"))
    await acall("event", part(events.get_event(event), "event"))
    await acall("event metadata", events.get_event_metadata(event))
    series = await acall("series", part(markets.get_series_list(), "series"))
    await acall("one series", part(markets.get_series(series[0].ticker), "series"))
    await acall("book", part(markets.get_market_orderbook(ticker), "orderbook_fp"))
    await acall("books", part(markets.get_market_orderbooks([ticker]), "orderbooks"))
    await acall("trades", part(markets.get_trades(), "trades"))
    traded = (await markets.get_trades()).trades[0].ticker
    candles = markets.get_market_candlesticks(series[0].ticker, traded, now - 3_600, now + 60, 1)
    await acall("candlesticks", part(candles, "candlesticks"))
    several = markets.batch_get_market_candlesticks(traded, now - 3_600, now + 60, 1)
    await acall("batch candlesticks", part(several, "markets"))
    await acall("status", exchange.get_exchange_status())
    await acall("schedule", exchange.get_exchange_schedule())
    await acall("history", kalshi.HistoricalApi(client).get_historical_cutoff())
    await acall("balance", portfolio.get_balance())
    made = await acall("create", orders.create_order_v2(**request()))
    await acall("order", part(orders.get_order(made.order_id), "order"))
    await acall("open orders", part(orders.get_orders(status="resting"), "orders"))
    await acall("queue positions", part(orders.get_order_queue_positions(market_tickers=ticker), "queue_positions"))
    changed = orders.amend_order_v2(made.order_id, ticker=ticker, side="bid", price="0.0400", count="8")
    await acall("amend", changed)
    await acall("decrease", orders.decrease_order_v2(made.order_id, reduce_by="1", market_ticker=ticker))
    await acall("cancel", orders.cancel_order_v2(made.order_id, market_ticker=ticker))
    batch = await acall("batch", part(orders.batch_create_orders_v2(orders=[request(), request()]), "orders"))
    named = [{"order_id": each.order_id, "market_ticker": ticker} for each in batch]
    await acall("batch cancel", part(orders.batch_cancel_orders_v2(orders=named), "orders"))
    await acall("IOC", part(orders.create_order_v2(**request("0.9900", "immediate_or_cancel")), "fill_count"))
    await acall("fills", part(portfolio.get_fills(), "fills"))
    await acall("positions", part(portfolio.get_positions(), "market_positions"))
    await acall("settlements", listed(portfolio.get_settlements()))
    group = await acall("group", groups.create_order_group(contracts_limit_fp="5.00"))
    await acall("groups", part(groups.get_order_groups(), "order_groups"))
    await acall("delete group", listed(groups.delete_order_group(group.order_group_id)))
    await acall("cancel all", listed(orders.cancel_all_orders()))
    await client.close()


asyncio.run(main())
