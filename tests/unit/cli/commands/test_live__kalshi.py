"""A live run on a simulated Kalshi with an order group: where the exchange triggers it, trading is halted."""

import io
import json
from pathlib import Path

import pytest

from predsurv.cli.app import main
from predsurv.trade.halt_flag import halt_flag
from tests.kit.live_runs import OneBuyer
from tests.kit.served_fakes import background_loop
from tests.kit.served_simulators import served_kalshi

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
    assert [each.method for each in paths] == ["POST", "DELETE"]
    first_order = next(n for n, each in enumerate(asked) if each.path.endswith("/portfolio/events/orders"))
    assert asked.index(paths[0]) < first_order
    halted = halt_flag(data).read()
    assert (halted is not None) == halts
    if halted is not None:
        assert halted.reason.startswith("kalshi: 5 contracts were matched within 15 s")
        assert "trading is halted: kalshi: 5 contracts" in err
