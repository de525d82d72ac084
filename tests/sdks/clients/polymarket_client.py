"""polymarket-client: the official client of Polymarket, with its account's own key and with a deposit wallet."""

import asyncio
import json
import os
from dataclasses import replace
from typing import Any

from polymarket import AsyncSecureClient, SecureClient
from polymarket.environments import PRODUCTION, _create_environment
from polymarket.streams import MarketSpec, UserSpec

from tests.sdks import market
from tests.sdks.calls import acall, call

prefix = "PREDSURV_VENUES__POLYMARKET__"
urls = {name: os.environ[f"{prefix}{name}"] for name in ("GAMMA_URL", "CLOB_URL", "DATA_URL")}
here = replace(
    PRODUCTION._config,
    gamma_url=urls["GAMMA_URL"],
    clob_url=urls["CLOB_URL"],
    data_url=urls["DATA_URL"],
    clob_market_ws_url=os.environ[f"{prefix}WS_MARKET_URL"],
    clob_user_ws_url=os.environ[f"{prefix}WS_USER_URL"],
)
environment = _create_environment(name="simulated", config=here)
key = os.environ["PREDSURV_POLYMARKET_PRIVATE_KEY"]
row = market.polymarket()
condition, token = row["conditionId"], json.loads(row["clobTokenIds"])[0]
event = row["events"][0]["id"]


def first(paginator: Any) -> Any:
    """Return the first page of a listing."""
    return paginator.first_page().items


def reads(client: SecureClient) -> None:
    """Call what anybody may ask."""
    call("markets", lambda: first(client.list_markets(closed=False)))
    call("market", lambda: client.get_market(id=row["id"]))
    call("events", lambda: first(client.list_events(closed=False)))
    call("event", lambda: client.get_event(id=event))
    call("series", lambda: [first(client.list_series())])
    call("tags", lambda: first(client.list_tags()))
    call("search", lambda: [first(client.search(q="will"))])
    call("book", lambda: client.get_order_book(token_id=token))
    call("books", lambda: client.get_order_books(token_ids=[token]))
    call("price", lambda: client.get_price(token_id=token, side="BUY"))
    call("midpoint", lambda: client.get_midpoint(token_id=token))
    call("spread", lambda: client.get_spread(token_id=token))
    call("trades", lambda: [first(client.list_trades(condition_id=condition))])


def trades(client: SecureClient) -> None:
    """Trade with one wallet."""
    order = call("create", lambda: client.create_limit_order(token_id=token, price="0.05", size="20", side="BUY"))
    posted = call("order", lambda: _accepted(client.post_order(order)))
    call("open orders", lambda: first(client.list_open_orders()))
    call("one order", lambda: client.get_order(order_id=posted.order_id))
    call("cancel", lambda: client.cancel_order(order_id=posted.order_id).canceled)
    signed = [client.create_limit_order(token_id=token, price="0.05", size=str(20 + n), side="BUY") for n in range(2)]
    batch = call("batch", lambda: [_accepted(each) for each in client.post_orders(signed)])
    call("batch cancel", lambda: client.cancel_orders(order_ids=[each.order_id for each in batch]).canceled)
    bought = call("market order", lambda: _accepted(client.place_market_order(token_id=token, amount="10", side="BUY")))
    call("settlement", lambda: client.wait_for_order_fill_settlement(bought))
    call("last trade", lambda: client.get_last_trade_price(token_id=token))
    call("history", lambda: first(client.list_price_history(asset_id=token, interval="max")))
    call("fills", lambda: first(client.list_account_trades()))
    call("balance", lambda: client.get_balance_allowance(asset_type="COLLATERAL"))
    call("positions", lambda: first(client.list_positions()))
    call("notifications", client.get_notifications)
    call("heartbeat", client.send_order_heartbeat)
    call("cancel all", client.cancel_all)


def _accepted(answer: Any) -> Any:
    assert answer.ok, answer
    return answer


async def streams() -> None:
    """Read a message of each channel."""
    client = await AsyncSecureClient.create(private_key=key, wallet=wallet, environment=environment)
    public = await client.subscribe(MarketSpec(token_ids=[token]))
    await acall("market stream", asyncio.wait_for(anext(aiter(public)), 20))
    private = await client.subscribe(UserSpec())
    await asyncio.sleep(1)
    await client.place_limit_order(token_id=token, price="0.05", size="20", side="BUY")
    await acall("user stream", asyncio.wait_for(anext(aiter(private)), 20))
    await client.cancel_all()
    await client.close()


wallet = market.address()
own = call("login", lambda: SecureClient.create(private_key=key, wallet=wallet, environment=environment))
reads(own)
trades(own)
asyncio.run(streams())
