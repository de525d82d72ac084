// @polymarket/clob-client-v2: the older official TypeScript client of Polymarket.
import { AssetType, ClobClient, OrderType, Side } from "@polymarket/clob-client-v2";
import { createWalletClient, http } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { call, polymarketMarket } from "./calls.mjs";

const row = await polymarketMarket();
const tokenID = JSON.parse(row.clobTokenIds)[0];
const account = privateKeyToAccount(process.env.PREDSURV_POLYMARKET_PRIVATE_KEY);
const options = {
  host: process.env.PREDSURV_VENUES__POLYMARKET__CLOB_URL,
  chain: 137,
  signer: createWalletClient({ account, transport: http(process.env.PREDSURV_VENUES__POLYMARKET__CLOB_URL) }),
  throwOnError: true,
};
const creds = await call("login", () => new ClobClient(options).createOrDeriveApiKey());
const client = new ClobClient({ ...options, creds });
const order = (size) => client.createOrder({ tokenID, price: 0.05, side: Side.BUY, size }, { tickSize: "0.01" });

await call("markets", async () => (await client.getMarkets()).data);
await call("market", async () => (await client.getMarket(row.conditionId)).condition_id);
await call("book", () => client.getOrderBook(tokenID));
await call("books", () => client.getOrderBooks([{ token_id: tokenID, side: Side.BUY }]));
await call("price", () => client.getPrice(tokenID, Side.BUY));
await call("midpoint", () => client.getMidpoint(tokenID));
await call("history", () => client.getPricesHistory({ market: tokenID, interval: "max" }));
const signed = await call("create", () => order(20));
const posted = await call("order", async () => (await client.postOrder(signed, OrderType.GTC)).orderID);
await call("open orders", () => client.getOpenOrders());
await call("cancel", async () => (await client.cancelOrder({ orderID: posted })).canceled);
await call("market order", async () =>
  (await client.createAndPostMarketOrder({ tokenID, amount: 10, side: Side.BUY }, { tickSize: "0.01" }, OrderType.FOK)).orderID,
);
await call("fills", () => client.getTrades());
await call("balance", async () => (await client.getBalanceAllowance({ asset_type: AssetType.COLLATERAL })).balance);
await call("cancel all", () => client.cancelAll());
