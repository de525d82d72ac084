"""What the account says about itself, page by page and by every filter."""

import pytest

from predsurv.core.num import MICROS, Price
from predsurv.simulate.kalshi.markets import channel_message
from tests.kit.kalshi_desk import LISTED, NS_PER_S, ORDERS, KalshiDeskTrial


@pytest.fixture
def trial() -> KalshiDeskTrial:
    return KalshiDeskTrial()


def ids(trial: KalshiDeskTrial, **query: str) -> list[str]:
    return [row["order_id"] for row in trial.get(LISTED, **query)["orders"]]


def test_orders_are_listed_newest_first_and_paged(trial: KalshiDeskTrial) -> None:
    first, second, third = (trial.placed() for _ in range(3))
    page = trial.get(LISTED, limit="2")
    assert ([row["order_id"] for row in page["orders"]], page["cursor"]) == ([third, second], "2")
    page = trial.get(LISTED, limit="2", cursor="2")
    assert ([row["order_id"] for row in page["orders"]], page["cursor"]) == ([first], "")


@pytest.mark.parametrize("limit", ["", "x", "-1", "\u00b2", "9" * 5_000])
def test_a_limit_that_is_no_number_is_the_usual_one(trial: KalshiDeskTrial, limit: str) -> None:
    orders = [trial.placed() for _ in range(2)]
    assert ids(trial, limit=limit) == orders[::-1]
    assert ids(trial, cursor=limit) == orders[::-1]


def test_orders_are_found_by_status_market_event_and_time(trial: KalshiDeskTrial) -> None:
    kept, gone = trial.placed(), trial.placed()
    trial.ask("DELETE", f"{ORDERS}/{gone}")
    assert ids(trial, status="canceled") == [gone]
    assert ids(trial, ticker=trial.ticker) == [gone, kept]
    assert ids(trial, ticker="KXNONE") == ids(trial, event_ticker="KXNONE") == []
    now = trial.exchange.now // NS_PER_S
    assert ids(trial, min_ts=str(now), max_ts=str(now)) == [gone, kept]
    assert ids(trial, min_ts=str(now + 1)) == ids(trial, max_ts=str(now - 1)) == []


def test_one_order_and_its_place_are_read(trial: KalshiDeskTrial) -> None:
    first, second = (trial.placed("bid", "0.4300", "5") for _ in range(2))
    assert trial.row(second)["order_id"] == second
    places = trial.get(f"{LISTED}/queue_positions", market_tickers=f"KXNONE,{trial.ticker}")["queue_positions"]
    assert [(row["order_id"], row["queue_position_fp"]) for row in places] == [(first, "0.00"), (second, "5.00")]
    assert trial.get(f"{LISTED}/queue_positions", event_ticker="KXNONE")["queue_positions"] == []
    trial.ask("DELETE", f"{ORDERS}/{first}")
    assert trial.get(f"{LISTED}/{second}/queue_position") == {"queue_position_fp": "0.00"}
    for path in (f"{first}/queue_position", "none/queue_position", "none"):
        assert trial.ask("GET", f"{LISTED}/{path}").error == (404, "not_found", "")


def test_fills_and_positions_are_found_by_order_market_and_event(trial: KalshiDeskTrial) -> None:
    taken = trial.placed("bid", "0.9900", "3", time_in_force="immediate_or_cancel")
    trial.placed("bid", "0.9900", "2", time_in_force="immediate_or_cancel")
    assert [row["count_fp"] for row in trial.get("/portfolio/fills")["fills"]] == ["2.00", "3.00"]
    assert [row["count_fp"] for row in trial.get("/portfolio/fills", order_id=taken)["fills"]] == ["3.00"]
    assert trial.get("/portfolio/fills", ticker="KXNONE")["fills"] == []
    held = trial.get("/portfolio/positions")
    assert [row["position_fp"] for row in held["market_positions"]] == ["5.00"]
    assert [row["total_cost_dollars"] for row in held["event_positions"]] == ["2.200000"]
    for query in ({"ticker": "KXNONE"}, {"event_ticker": "KXNONE"}):
        assert trial.get("/portfolio/positions", **query)["market_positions"] == []


@pytest.mark.parametrize(("side", "revenue", "counts"), [("bid", 300, ("3.00", "0.00")), ("ask", 0, ("0.00", "3.00"))])
def test_what_settles_is_paid_out_and_listed(
    trial: KalshiDeskTrial, side: str, revenue: int, counts: tuple[str, str]
) -> None:
    trial.placed(side, "0.9900" if side == "bid" else "0.0100", "3", time_in_force="immediate_or_cancel")
    before = trial.get("/portfolio/balance")["balance"]
    listing = trial.markets.listed[trial.ticker]
    listing.result, listing.payout = "yes", Price(MICROS)
    body = {"event_type": "settled", "market_ticker": trial.ticker}
    other = channel_message("lifecycle", None, "market_lifecycle_v2", body | {"event_type": "determined"})
    trial.service.heard([other])
    assert trial.get("/portfolio/settlements")["settlements"] == []
    trial.service.heard([channel_message("lifecycle", None, "market_lifecycle_v2", body)] * 2)
    (row,) = trial.get("/portfolio/settlements", ticker=trial.ticker)["settlements"]
    assert (row["market_result"], row["revenue"], row["value"]) == ("yes", revenue, 100)
    assert (row["yes_count_fp"], row["no_count_fp"]) == counts
    assert trial.get("/portfolio/balance")["balance"] == before + revenue
    assert trial.get("/portfolio/positions")["market_positions"] == []
    assert trial.get("/portfolio/settlements", ticker="KXNONE")["settlements"] == []
