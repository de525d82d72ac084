"""py-clob-client-v2: the older official client of Polymarket."""

import json
import os
from typing import Any

import py_clob_client_v2.clob_types as types
from py_clob_client_v2.client import ClobClient

from tests.sdks import market
from tests.sdks.calls import call

row = market.polymarket()
condition, token = row["conditionId"], json.loads(row["clobTokenIds"])[0]
client = ClobClient(
    os.environ["PREDSURV_VENUES__POLYMARKET__CLOB_URL"], 137, key=os.environ["PREDSURV_POLYMARKET_PRIVATE_KEY"]
)


def book_hash() -> bool:
    """Return whether the client computes the hash that the book has."""
    book = client.get_order_book(token)
    given = book["hash"] if isinstance(book, dict) else book.hash
    return bool(client.get_order_book_hash(book) == given)


def limit_order(size: float) -> Any:
    return client.create_order(types.OrderArgs(token_id=token, price=0.05, size=size, side="BUY"))


call("ok", client.get_ok)
call("time", client.get_server_time)
call("version", client.get_version)
call("markets", lambda: client.get_markets()["data"])
call("simplified markets", lambda: client.get_simplified_markets()["data"])
call("sampling markets", lambda: client.get_sampling_markets()["next_cursor"])
call("sampling simplified markets", lambda: client.get_sampling_simplified_markets()["next_cursor"])
call("market", lambda: client.get_market(condition)["condition_id"])
call("clob market", lambda: client.get_clob_market_info(condition))
call("book", lambda: client.get_order_book(token))
call("book hash", book_hash)
call("books", lambda: client.get_order_books([types.BookParams(token_id=token)]))
call("price", lambda: client.get_price(token, "BUY"))
call("midpoint", lambda: client.get_midpoint(token))
call("spread", lambda: client.get_spread(token))
call("last trade", lambda: client.get_last_trade_price(token))
call("history", lambda: client.get_prices_history(types.PricesHistoryParams(market=token, interval="max")))
call("tick size", lambda: client.get_tick_size(token))
call("neg risk", lambda: [client.get_neg_risk(token)])
call("trades", lambda: [client.get_market_trades_events(condition)])
call("rewards", lambda: [client.get_current_rewards()])
client.set_api_creds(call("login", client.create_or_derive_api_key))
call("closed only", client.get_closed_only_mode)
order = call("create", lambda: limit_order(20))
posted = call("order", lambda: client.post_order(order))
call("open orders", client.get_open_orders)
call("one order", lambda: client.get_order(posted["orderID"])["id"])
call("scoring", lambda: client.is_order_scoring(types.OrderScoringParams(orderId=posted["orderID"])))
call("cancel", lambda: client.cancel_order(types.OrderPayload(orderID=posted["orderID"]))["canceled"])
batch = call("batch", lambda: client.post_orders([types.PostOrdersV2Args(order=limit_order(20 + n)) for n in range(2)]))
call("batch cancel", lambda: client.cancel_orders([each["orderID"] for each in batch])["canceled"])
call(
    "market order",
    lambda: client.create_and_post_market_order(
        types.MarketOrderArgs(token_id=token, amount=10, side="BUY"), order_type="FOK"
    )["transactionsHashes"],
)
call("fills", client.get_trades)
call("balance", lambda: client.get_balance_allowance(types.BalanceAllowanceParams(asset_type="COLLATERAL"))["balance"])
call("heartbeat", lambda: client.post_heartbeat("")["heartbeat_id"])
call("notifications", client.get_notifications)
call("cancel market", lambda: client.cancel_market_orders(types.OrderMarketCancelParams(market=condition)))
call("cancel all", client.cancel_all)
