"""Live runs on a simulated Kalshi: an order group that the exchange triggers, and orders that leave together."""

import io
import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from predsurv.cli.app import main
from predsurv.core.events import BookDelta, BookSnapshot, Event
from predsurv.core.num import MICROS, Price, Size
from predsurv.core.orders import Decision, Intent
from predsurv.state.view import View
from predsurv.trade.halt_flag import halt_flag
from tests.kit.live_runs import OneBuyer
from tests.kit.served_fakes import BackgroundLoop, background_loop
from tests.kit.served_simulators import Requests, served_kalshi, served_polymarket

GROUPS = "/trade-api/v2/portfolio/order_groups"
LIVE = ("trade", "--live", "--venue", "kalshi", "--strategy", "simple", "--no-twin", "--duration", "5s")


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, value in (("TRADING__MODE", "live"), ("METRICS__PORT", "0"), ("LIVE_CONFIRM", "kalshi")):
        monkeypatch.setenv(f"PREDSURV_{name}", value)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr("resource.setrlimit", lambda *_: None)
    monkeypatch.setattr("predsurv.trade.engine_parts.build", lambda *_: (OneBuyer("gtc", count=2),))
    return tmp_path / "data"


@pytest.mark.parametrize(("limit", "halts"), [(5, True), (100_000, False)])
def test_the_exchange_stops_a_run_at_its_own_limit(
    limit: int,
    halts: bool,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PREDSURV_VENUES__KALSHI__ORDER_GROUP_LIMIT", str(limit))
    with background_loop() as loop, served_kalshi(loop, monkeypatch, tmp_path) as asked:
        assert main(LIVE) == 0
        err = capsys.readouterr().err
        assert main(["orders", "--venue", "kalshi", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"orders": []}
    paths = [each for each in asked if each.path.startswith(GROUPS)]
    assert [each.method for each in paths] == ["POST"] * 4 + ["DELETE"] * 4, "a group on each shard"
    first_order = next(n for n, each in enumerate(asked) if "/portfolio/events/orders" in each.path)
    assert asked.index(paths[0]) < first_order
    halted = halt_flag(data).read()
    assert (halted is not None) == halts
    if halted is not None:
        assert halted.reason.startswith("kalshi: 5 contracts were matched within 15 s")
        assert "trading is halted: kalshi: 5 contracts" in err


class Ladder(OneBuyer):
    """Bids for ten shares at three prices below the best bid, at once."""

    def on_event(self, event: Event, view: View) -> Sequence[Decision]:
        book = view.book(event.key) if isinstance(event, BookSnapshot | BookDelta) else None
        bid = None if book is None else book.best_bid()
        if not self.left or bid is None or not 200_000 < bid[0] < 800_000:
            return ()
        self.left -= 1
        prices = [Price(bid[0] // 10_000 * 10_000 - number * 10_000) for number in (1, 2, 3)]
        return [
            Intent(self.name, event.key, "buy", each, Size(10 * MICROS), "gtc", "test", post_only=True)  # type: ignore[union-attr]
            for each in prices
        ]


@pytest.mark.parametrize(
    ("venue", "serve", "together"),
    [
        ("kalshi", served_kalshi, "/trade-api/v2/portfolio/events/orders/batched"),
        ("polymarket", served_polymarket, "/orders"),
    ],
)
def test_what_is_decided_at_once_leaves_in_one_request(
    venue: str,
    serve: Callable[[BackgroundLoop, pytest.MonkeyPatch, Path], AbstractContextManager[Requests]],
    together: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("predsurv.trade.engine_parts.build", lambda *_: (Ladder("gtc"),))
    monkeypatch.setenv("PREDSURV_LIVE_CONFIRM", venue)
    with background_loop() as loop, serve(loop, monkeypatch, tmp_path) as asked:
        assert main(["trade", "--live", "--venue", venue, "--strategy", "simple", "--no-twin", "--duration", "5s"]) == 0
        capsys.readouterr()
        assert main(["orders", "--venue", venue, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"orders": []}
    assert [each.method for each in asked if each.path == together] == ["POST", "DELETE"]
    assert not [each for each in asked if each.path.endswith(("/order", "/events/orders"))], "none went alone"
