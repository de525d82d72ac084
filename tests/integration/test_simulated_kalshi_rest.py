"""The simulated Kalshi's market data over real sockets: single rows, filters, candles, the ticker channel."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.kit.kalshi_trader import KalshiTrader, quoted, told
from tests.kit.patience import PATIENCE_S, until
from tests.kit.simulated_kalshi import SimulatedKalshi

S = 1_000_000_000


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[SimulatedKalshi]:
    made = SimulatedKalshi(tmp_path, markets=60, rate=500)
    await made.start()
    async with asyncio.timeout(PATIENCE_S):
        await until(lambda: made.server.markets.trades)
        yield made
    await made.aclose()


@pytest.fixture
async def trader(server: SimulatedKalshi) -> AsyncIterator[KalshiTrader]:
    made = KalshiTrader(server)
    yield made
    await made.http.aclose()


async def test_markets_events_and_series_are_found_by_name_and_by_filter(
    server: SimulatedKalshi, trader: KalshiTrader
) -> None:
    ticker = quoted(server)
    market = (await trader.get(f"/markets/{ticker}"))["market"]
    assert market["ticker"] == ticker
    event = market["event_ticker"]
    alone = await trader.get(f"/events/{event}")
    assert ticker in {row["ticker"] for row in alone["markets"]}
    nested = await trader.get(f"/events/{event}", with_nested_markets="true")
    assert {row["ticker"] for row in nested["event"]["markets"]} == {row["ticker"] for row in alone["markets"]}
    series = alone["event"]["series_ticker"]
    assert (await trader.get(f"/series/{series}"))["series"]["ticker"] == series
    of_event = (await trader.get("/markets", event_ticker=event))["markets"]
    assert {row["event_ticker"] for row in of_event} == {event}
    of_series = (await trader.get("/events", series_ticker=series, with_nested_markets="true"))["events"]
    assert {row["series_ticker"] for row in of_series} == {series}
    assert all(row["markets"] for row in of_series)
    assert (await trader.get("/markets", max_close_ts="1"))["markets"] == []
    for row in (await trader.get("/events"))["events"]:
        assert (row["collateral_return_type"] == "MECNET") == row["mutually_exclusive"]
    for path in ("/markets/KXNONE", "/events/KXNONE", "/events/KXNONE/metadata", "/series/KXNONE", "/elsewhere"):
        assert (await trader.ask("GET", path)).json()["error"]["code"] == "not_found"
    assert (await trader.ask("PUT", "/markets")).status_code == 405


async def test_candles_and_trades_agree(server: SimulatedKalshi, trader: KalshiTrader) -> None:
    trade = server.server.markets.trades[-1]
    ticker, now = trade["market_ticker"], server.clock.now() // S
    times = {"start_ts": str(now - 3_600), "end_ts": str(now + 120), "period_interval": "1"}
    candles = (await trader.get(f"/series/KX/markets/{ticker}/candlesticks", **times))["candlesticks"]
    assert candles
    for candle in candles:
        prices = [float(candle["price"][f"{name}_dollars"]) for name in ("low", "open", "mean", "close", "high")]
        assert prices[0] == min(prices)
        assert prices[-1] == max(prices)
    (batch,) = (await trader.get("/markets/candlesticks", market_tickers=ticker, **times))["markets"]
    assert batch["market_ticker"] == ticker
    wrong = await trader.ask("GET", "/markets/candlesticks", market_tickers=ticker, **{**times, "period_interval": "7"})
    assert wrong.status_code == 400
    until_then = str(trade["ts_ms"] // 1_000)
    old = (await trader.get("/markets/trades", ticker=ticker, max_ts=until_then))["trades"]
    assert all(row["ticker"] == ticker for row in old)


async def test_the_ticker_channel_follows_the_books(server: SimulatedKalshi, trader: KalshiTrader) -> None:
    link = await trader.listen("ticker")
    body = await told(link, "ticker")
    assert 0 <= float(body["yes_bid_dollars"]) < float(body["yes_ask_dollars"]) <= 1
    raw = json.loads(await link.recv())
    assert "seq" not in raw
    await link.close()
