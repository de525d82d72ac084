"""``predsurv keys check``: whose key it is, what is in the way of trading with it, and that it is never shown."""

import json
from pathlib import Path
from typing import Any

import pytest

from predsurv.cli.app import main
from predsurv.net.clock import SystemClock
from predsurv.simulate.server import ServerRequest, ServerResponse, WebSocketConnection
from predsurv.venues.polymarket.orders.exchanges import EXCHANGE_V3, NEG_RISK, STANDARD
from tests.kit.fake_clob import FakeClob
from tests.kit.fake_kalshi import FakeKalshi
from tests.kit.polymarket_orders import ADDRESS, PRIVATE_KEY
from tests.kit.served_fakes import served

POLYMARKET = ("keys", "check", "--venue", "polymarket")
CLOSED_ONLY = "/auth/ban-status/closed-only"
KALSHI = ("keys", "check", "--venue", "kalshi")


class Answering:
    """The part of a venue that a test gives: bodies by path."""

    def __init__(self, bodies: dict[str, bytes]) -> None:
        self.bodies = bodies

    def respond(self, request: ServerRequest) -> ServerResponse | None:
        body = self.bodies.get(request.path)
        return ServerResponse(404, b"{}") if body is None else ServerResponse(200, body)

    def on_open(self, websocket: WebSocketConnection) -> None: ...

    def on_message(self, websocket: WebSocketConnection, message: bytes) -> None: ...

    def on_close(self, websocket: WebSocketConnection) -> None: ...


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def checked(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, tuple[str, str]]:
    """Return value and verdict by fact."""
    assert main([*words, "--format", "json"]) == code
    rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return {row["fact"]: (row["value"], row["verdict"]) for row in rows}


def test_a_good_key_of_polymarket_has_nothing_in_the_way(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = FakeClob(Answering({"/v1/user/rate-limit-tier": b'{"tier":"gold"}', CLOSED_ONLY: b'{"closed_only":false}'}))
    fake.allowances = {STANDARD.address: str(2**256 - 1), NEG_RISK.address: "5000000"}
    with served(fake, monkeypatch):
        facts = checked(capsys, *POLYMARKET)
    assert facts["signer"] == facts["funder"] == (ADDRESS, "")
    assert facts["signature type"] == ("0: the key's own account", "")
    assert facts["cash"] == ("$1,000.00", "ok")
    assert facts[f"allowance {STANDARD.name}"] == ("unlimited", "ok")
    assert facts[f"allowance {NEG_RISK.name}"] == ("$5.00", "ok")
    assert facts[f"allowance {EXCHANGE_V3.name}"] == ("not stated", "")
    assert facts["clock"][1] == "ok"
    assert facts["rate limit tier"] == ("gold", "")
    assert facts["orders headroom"] == ("600 of 600 now, 400 a second", "")
    assert facts["cancels headroom"] == ("1200 of 1200 now, 800 a second", "")
    assert facts["closed only"] == ("no", "ok")


def test_what_is_in_the_way_ends_with_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    fake = FakeClob(Answering({CLOSED_ONLY: b'{"closed_only":true}'}))
    fake.allowances = {STANDARD.address: "0"}
    fake.cash = 0
    with served(fake, monkeypatch):
        facts = checked(capsys, *POLYMARKET, code=1)
    assert facts["closed only"] == ("yes", "in the way")
    assert facts["cash"] == ("$0.00", "in the way")
    assert facts[f"allowance {STANDARD.name}"] == ("$0.00", "in the way")


@pytest.mark.parametrize("body", [b"not json", b"[1]", b"{}", b'{"tier":null}', b"[" * 100_000])
def test_what_is_optional_and_not_answered_well_is_left_out(
    body: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(FakeClob(Answering({"/v1/user/rate-limit-tier": body})), monkeypatch):
        facts = checked(capsys, *POLYMARKET)
    assert facts["rate limit tier"] == ("not stated: the limits of the lowest are kept to", "")
    assert facts["orders headroom"] == ("60 of 60 now, 40 a second", "")
    assert "closed only" not in facts


def test_a_key_of_kalshi_with_its_shards_and_limit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = FakeKalshi()
    fake.shards = {1: 0, 0: 1_000_000_000}
    with served(fake, monkeypatch):
        facts = checked(capsys, *KALSHI)
    assert facts["cash"] == ("$1,000.00", "ok")
    assert facts["cash on shard 0"] == ("$1,000.00", "ok")
    assert facts["cash on shard 1"] == ("$0.00", "")
    assert facts["rate limit tier"] == ("basic", "")
    assert facts["orders headroom"] == ("100 of 100 now, 100 a second", "")
    assert facts["cancels headroom"] == ("500 of 500 now, 500 a second", "")
    assert facts["reads headroom"][0].endswith(" of 600 now, 200 a second")
    assert facts["clock"][1] == "ok"


@pytest.mark.parametrize(("words", "make"), [(POLYMARKET, FakeClob), (KALSHI, FakeKalshi)])
def test_a_wrong_clock_is_refused_and_no_key_is_shown(
    words: tuple[str, ...],
    make: type[FakeClob | FakeKalshi],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake = make()
    fake.time_offset = 90  # more than refused, however slow the machine is
    with served(fake, monkeypatch):
        assert main(words) == 5
    out, err = capsys.readouterr()
    assert "s behind " in err
    assert "set it by NTP" in err
    assert PRIVATE_KEY not in out + err
    assert "BEGIN" not in out + err


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (POLYMARKET, "set PREDSURV_POLYMARKET_PRIVATE_KEY_FILE to a file (mode 600)"),
        (KALSHI, "set PREDSURV_KALSHI_KEY_ID, and PREDSURV_KALSHI_PRIVATE_KEY_FILE to a file (mode 600)"),
    ],
)
def test_without_a_key_it_says_where_to_put_one(
    words: tuple[str, ...], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert f"no key to sign orders with: {line}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "words", "verdict"),
    [
        (90_030, ", 1 days and 1 hours from now", "ok"),
        (-5, ", over: renew your location there", "in the way"),
        (None, "not stated", ""),
    ],
)
def test_the_end_of_a_key_of_kalshi_is_told(
    seconds: int | None, words: str, verdict: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = FakeKalshi()
    fake.keys = {} if seconds is None else {"api_key_region_expiration_ts": SystemClock().now() // 10**9 + seconds}
    with served(fake, monkeypatch):
        facts = checked(capsys, *KALSHI, code=1 if verdict == "in the way" else 0)
    value, found = facts["key may trade until"]
    assert value.endswith(words)
    assert found == verdict
