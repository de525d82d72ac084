"""``predsurv redeem --dry-run``: what could be redeemed and merged; nothing is ever sent."""

import json
from pathlib import Path
from typing import Any

import pytest

from predsurv.cli.app import main
from predsurv.core.errors import ConfigError
from predsurv.simulate.server import LoopbackServer, ServerRequest, ServerResponse, WebSocketConnection
from predsurv.venues.polymarket.execution.login import wallet_address
from tests.kit.live_orders import configured
from tests.kit.polymarket_orders import ADDRESS, PRIVATE_KEY
from tests.kit.served_fakes import background_loop

FUNDER = "0x1111111111111111111111111111111111111111"
ROWS: list[dict[str, Any]] = [
    {"asset": "7" * 77, "conditionId": "0xab", "size": 20, "curPrice": 1, "redeemable": True, "outcome": "Yes"},
    {"asset": "8" * 77, "conditionId": "0xcd", "size": 5, "curPrice": 0.4, "outcome": "Yes"},
    {"asset": "6" * 77, "conditionId": "0xef", "size": 2, "curPrice": 0.3, "redeemable": True, "outcome": "No"},
    {"asset": "9" * 77, "conditionId": "0xcd", "size": 3, "curPrice": 0.6, "outcome": "No"},
]


class DataServer:
    """Answers what a wallet holds."""

    def __init__(self) -> None:
        self.requests: list[ServerRequest] = []

    def respond(self, request: ServerRequest) -> ServerResponse | None:
        self.requests.append(request)
        return ServerResponse(200, json.dumps(ROWS).encode())

    def on_open(self, websocket: WebSocketConnection) -> None: ...

    def on_message(self, websocket: WebSocketConnection, message: bytes) -> None: ...

    def on_close(self, websocket: WebSocketConnection) -> None: ...


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_it_lists_what_would_be_paid_without_a_key_where_the_wallet_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PREDSURV_VENUES__POLYMARKET__FUNDER", FUNDER)
    application = DataServer()
    with background_loop() as loop:
        server = LoopbackServer(application)
        loop.call(server.start())
        monkeypatch.setenv("PREDSURV_VENUES__POLYMARKET__DATA_URL", f"http://127.0.0.1:{server.port}")
        words = ("redeem", "--dry-run", "--venue", "polymarket")
        assert main([*words, "--format", "json"]) == 0
        out, err = capsys.readouterr()
        assert main(words) == 0
        shown = capsys.readouterr().out
        assert "in all $23.00" in shown
        assert "1 of unknown payout, not counted" in shown
        loop.call(server.aclose())
    rows = [(row["action"], row["pays"], row["contract"]) for row in json.loads(out)]
    assert rows == [
        ("redeem", 20, "conditional tokens"),
        ("merge", 3, "conditional tokens"),
        ("redeem", None, "conditional tokens"),
    ]
    assert f"wallet {FUNDER}; nothing was sent" in err
    assert {(each.method, each.query["user"][0]) for each in application.requests} == {("GET", FUNDER)}


def test_kalshi_needs_none_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["redeem", "--dry-run", "--venue", "kalshi", "--format", "json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == []
    assert "nothing is to be redeemed or merged" in err


def test_nothing_but_a_dry_run_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["redeem", "--venue", "polymarket"]) == 2
    assert "only --dry-run is there; predsurv sends nothing to the chain" in capsys.readouterr().err


def test_the_wallet_is_the_funder_or_the_keys_own_account(tmp_path: Path) -> None:
    named = configured(tmp_path, **{"venues.polymarket.funder": FUNDER})
    assert wallet_address(named, {}) == FUNDER
    assert wallet_address(configured(tmp_path), {"PREDSURV_POLYMARKET_PRIVATE_KEY": PRIVATE_KEY}) == ADDRESS
    with pytest.raises(ConfigError, match="no key to sign orders with"):
        wallet_address(configured(tmp_path), {})
