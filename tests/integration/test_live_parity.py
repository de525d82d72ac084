"""Paper trading and a broker that speaks to a simulated venue give the same orders for the same feed."""

from pathlib import Path

import pytest

from predsurv.core.orders import CancelOrder, PlaceOrder
from predsurv.trade.replay_run import replay_run
from tests.kit import feed_orders
from tests.kit.live_parity import compared, trade_live, traded_live, traded_on_paper

STRATEGY = f"{feed_orders.__file__}:FeedOrders"


@pytest.mark.slow
@pytest.mark.parametrize("venue", ["polymarket", "kalshi"])
async def test_the_same_orders_on_paper_and_live_and_when_the_live_run_is_replayed(tmp_path: Path, venue: str) -> None:
    run = trade_live(venue, tmp_path, STRATEGY, "10s", "--markets", "40", "--rate", "400")
    live, paper = traded_live(run), await traded_on_paper(run)
    kinds = {type(each) for each in live.commands}
    assert kinds == {PlaceOrder, CancelOrder}
    assert live.fills
    assert paper.fills
    both = compared(live, paper)
    assert both.paper == both.live
    assert both.left_out * 4 < len(live.commands)
    # What a live run decides follows from its feed and from what the venue answered: the same to the byte.
    report = await replay_run(tmp_path / "data", run)
    assert report.difference is None
    assert report.whole
    assert report.equal > len(live.commands)
