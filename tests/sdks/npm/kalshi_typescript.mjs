// kalshi-typescript: the official TypeScript client of Kalshi.
import {
  Configuration,
  EventsApi,
  ExchangeApi,
  MarketApi,
  OrdersApi,
  PortfolioApi,
} from "kalshi-typescript";
import { call, kalshiMarket } from "./calls.mjs";

const row = await kalshiMarket();
const { ticker } = row;
const configuration = new Configuration({
  basePath: process.env.PREDSURV_VENUES__KALSHI__REST_URL,
  apiKey: process.env.PREDSURV_KALSHI_KEY_ID,
  privateKeyPath: process.env.PREDSURV_KALSHI_PRIVATE_KEY_FILE,
});
const [markets, events, exchange, orders, portfolio] = [MarketApi, EventsApi, ExchangeApi, OrdersApi, PortfolioApi].map(
  (Api) => new Api(configuration),
);
let count = 0;
const request = (price = "0.0500", tif = "good_till_canceled") => ({
  ticker,
  side: "bid",
  count: "5",
  price,
  time_in_force: tif,
  self_trade_prevention_type: "taker_at_cross",
  client_order_id: `ts-${(count += 1)}`,
});

await call("markets", async () => (await markets.getMarkets(10)).data.markets);
await call("market", async () => (await markets.getMarket(ticker)).data.market);
await call("events", async () => (await events.getEvents(10)).data.events);
await call("event", async () => (await events.getEvent(row.event_ticker)).data.event);
await call("series", async () => (await markets.getSeriesList()).data.series);
await call("book", async () => (await markets.getMarketOrderbook(ticker)).data.orderbook_fp);
await call("books", async () => (await markets.getMarketOrderbooks([ticker])).data.orderbooks);
await call("trades", async () => (await markets.getTrades()).data.trades);
await call("status", async () => (await exchange.getExchangeStatus()).data);
await call("schedule", async () => (await exchange.getExchangeSchedule()).data.schedule);
await call("balance", async () => (await portfolio.getBalance()).data.balance);
const made = await call("create", async () => (await orders.createOrderV2(request())).data.order_id);
await call("open orders", async () => (await orders.getOrders()).data.orders);
const changed = { ticker, side: "bid", price: "0.0400", count: "8" };
await call("amend", async () => (await orders.amendOrderV2(made, changed)).data.order_id);
await call("decrease", async () => (await orders.decreaseOrderV2(made, { reduce_by: "1", market_ticker: ticker })).data.order_id);
await call("cancel", async () => (await orders.cancelOrderV2(made)).data.reduced_by);
const batch = await call("batch", async () => (await orders.batchCreateOrdersV2({ orders: [request(), request()] })).data.orders);
const named = batch?.map((each) => ({ order_id: each.order_id, market_ticker: ticker }));
await call("batch cancel", async () => (await orders.batchCancelOrdersV2({ orders: named })).data.orders);
await call("IOC", async () => (await orders.createOrderV2(request("0.9900", "immediate_or_cancel"))).data.fill_count);
await call("fills", async () => (await portfolio.getFills()).data.fills);
await call("positions", async () => (await portfolio.getPositions()).data.market_positions);
await call("cancel all", async () => (await orders.cancelAllOrders()).data);
