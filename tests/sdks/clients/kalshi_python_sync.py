"""kalshi_python_sync: the official client of Kalshi."""

import os
import time
from pathlib import Path
from typing import Any

import kalshi_python_sync as kalshi

from tests.sdks import market
from tests.sdks.calls import call

row = market.kalshi()
ticker, event = row["ticker"], row["event_ticker"]
configuration = kalshi.Configuration(host=os.environ["PREDSURV_VENUES__KALSHI__REST_URL"])
configuration.api_key_id = os.environ["PREDSURV_KALSHI_KEY_ID"]
configuration.private_key_pem = Path(os.environ["PREDSURV_KALSHI_PRIVATE_KEY_FILE"]).read_text()
client = kalshi.KalshiClient(configuration)
markets, events, exchange = kalshi.MarketApi(client), kalshi.EventsApi(client), kalshi.ExchangeApi(client)
orders, portfolio, groups = kalshi.OrdersApi(client), kalshi.PortfolioApi(client), kalshi.OrderGroupsApi(client)
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
        "client_order_id": f"sync-{next(count)}",
    }


now = int(time.time())
call("markets", lambda: markets.get_markets(limit=100).markets)
call("market", lambda: markets.get_market(ticker).market)
call("events", lambda: events.get_events(limit=100, with_nested_markets=True).events)
call("event", lambda: events.get_event(event).event)
call("event metadata", lambda: events.get_event_metadata(event))
series = call("series", lambda: markets.get_series_list().series)
call("one series", lambda: markets.get_series(series[0].ticker).series)
call("book", lambda: markets.get_market_orderbook(ticker).orderbook_fp)
call("books", lambda: markets.get_market_orderbooks([ticker]).orderbooks)
call("trades", lambda: markets.get_trades().trades)
traded = markets.get_trades().trades[0].ticker
call(
    "candlesticks",
    lambda: markets.get_market_candlesticks(series[0].ticker, traded, now - 3_600, now + 60, 1).candlesticks,
)
call("batch candlesticks", lambda: markets.batch_get_market_candlesticks(traded, now - 3_600, now + 60, 1).markets)
call("status", exchange.get_exchange_status)
call("schedule", exchange.get_exchange_schedule)
call("history", lambda: kalshi.HistoricalApi(client).get_historical_cutoff())
call("balance", portfolio.get_balance)
made = call("create", lambda: orders.create_order_v2(**request()))
call("order", lambda: orders.get_order(made.order_id).order)
call("open orders", lambda: orders.get_orders(status="resting").orders)
call("queue positions", lambda: orders.get_order_queue_positions(market_tickers=ticker).queue_positions)
call("amend", lambda: orders.amend_order_v2(made.order_id, ticker=ticker, side="bid", price="0.0400", count="8"))
call("decrease", lambda: orders.decrease_order_v2(made.order_id, reduce_by="1", market_ticker=ticker))
call("cancel", lambda: orders.cancel_order_v2(made.order_id, market_ticker=ticker))
batch = call("batch", lambda: orders.batch_create_orders_v2(orders=[request(), request()]).orders)
call(
    "batch cancel",
    lambda: (
        orders.batch_cancel_orders_v2(
            orders=[{"order_id": each.order_id, "market_ticker": ticker} for each in batch]
        ).orders
    ),
)
call("IOC", lambda: orders.create_order_v2(**request("0.9900", "immediate_or_cancel")).fill_count)
call("fills", lambda: portfolio.get_fills().fills)
call("positions", lambda: portfolio.get_positions().market_positions)
call("settlements", lambda: [portfolio.get_settlements().settlements])
group = call("group", lambda: groups.create_order_group(contracts_limit_fp="5.00"))
call("groups", lambda: groups.get_order_groups().order_groups)
call("delete group", lambda: [groups.delete_order_group(group.order_group_id)])
call("cancel all", lambda: [orders.cancel_all_orders()])
