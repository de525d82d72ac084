"""An account that cannot be opened leaves no connection behind."""

from pathlib import Path

import pytest

from predsurv.core.errors import ConfigError
from predsurv.net.clock import SystemClock
from predsurv.net.http import Http
from predsurv.venues.polymarket.execution.opening import open_account
from tests.kit.fake_clob import FakeClob
from tests.kit.live_orders import configured


async def test_a_refused_key_leaves_no_connection_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREDSURV_POLYMARKET_PRIVATE_KEY", "1" * 64)
    closed: list[Http] = []
    close = Http.aclose

    async def aclose(self: Http) -> None:
        closed.append(self)
        await close(self)

    monkeypatch.setattr(Http, "aclose", aclose)
    fake = FakeClob()
    await fake.server.start()
    try:
        with pytest.raises(ConfigError, match="polymarket refuses the private key"):
            await open_account(configured(tmp_path, **fake.flags), SystemClock(), lambda: 0.0)
    finally:
        await fake.server.aclose()
    assert len(closed) == 1
