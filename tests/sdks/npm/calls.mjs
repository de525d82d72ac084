// Notes which calls of a client succeed: one JSON line each; an empty answer is a failure, too.
const isEmpty = (value) =>
  value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0);

export async function call(name, run) {
  let value;
  let error = "";
  try {
    value = await run();
    error = isEmpty(value) ? "empty" : "";
  } catch (thrown) {
    error = `${thrown}`.replace(/\s+/g, " ").slice(0, 300);
  }
  process.stdout.write(`${JSON.stringify({ call: name, error })}\n`);
  return value;
}

export async function polymarketMarket() {
  const base = process.env.PREDSURV_VENUES__POLYMARKET__GAMMA_URL;
  const { markets } = await (await fetch(`${base}/markets/keyset?closed=false&limit=100`)).json();
  const fitting = markets.filter(
    (row) => row.orderPriceMinTickSize === 0.01 && !row.negRisk && row.bestBid > 0.2 && row.bestAsk < 0.8,
  );
  const oldest = fitting.map((row) => row.createdAt).sort()[0];
  return fitting.filter((row) => row.createdAt === oldest).sort((a, b) => (a.endDate < b.endDate ? 1 : -1))[0];
}

export async function kalshiMarket() {
  const base = process.env.PREDSURV_VENUES__KALSHI__REST_URL;
  const { markets } = await (await fetch(`${base}/markets?status=open&limit=1000`)).json();
  const fitting = markets.filter(
    (row) => row.price_ranges[0].step === "0.0100" && row.yes_bid_dollars > 0.2 && row.yes_ask_dollars < 0.8,
  );
  return fitting.sort((a, b) => (a.close_time < b.close_time ? 1 : -1))[0];
}
