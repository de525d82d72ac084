"""The scan beside a recording runs in a process of its own; what goes wrong there is one line here."""

import asyncio
import multiprocessing
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from predsurv.cli.commands.rescan import rescan
from predsurv.config import Config, load
from predsurv.core.errors import TransientError
from predsurv.core.ids import VenueName
from predsurv.net.clock import SystemClock
from predsurv.store.universe import read_universe
from predsurv.venues.registry import open_venue
from tests.kit.patience import until

MOCK, KALSHI = VenueName("mock"), VenueName("kalshi")


def configured(data_dir: Path, **values: object) -> Config:
    return load(flags={"data_dir": str(data_dir), **values}, environ={}).config


async def test_the_mock_venue_is_asked_where_it_runs(tmp_path: Path) -> None:
    config = configured(tmp_path, **{"mock.enabled": True, "mock.markets": 20})
    venue = open_venue(MOCK, config, SystemClock())
    found = await rescan(config, {MOCK: venue}, MOCK)
    await venue.aclose()
    assert found.whole
    assert len(list(read_universe(found.path))) >= 20
    assert not multiprocessing.active_children()


async def test_a_list_that_was_cut_short_ends_no_market(tmp_path: Path) -> None:
    config = configured(tmp_path, **{"mock.enabled": True, "mock.markets": 20, "scanner.max_markets": 5})
    venue = open_venue(MOCK, config, SystemClock())
    found = await rescan(config, {MOCK: venue}, MOCK)
    await venue.aclose()
    assert not found.whole


async def test_a_venue_that_cannot_be_reached_is_one_line_and_leaves_no_process(tmp_path: Path) -> None:
    config = configured(tmp_path, **{"venues.kalshi.rest_url": "http://127.0.0.1:9/trade-api/v2"})
    with pytest.raises(TransientError, match=r"cannot connect to 127\.0\.0\.1:9"):
        await rescan(config, {}, KALSHI)
    assert not multiprocessing.active_children()


@pytest.fixture
async def mute(tmp_path: Path) -> AsyncIterator[Config]:
    """A venue that takes connections and says nothing."""
    server = await asyncio.start_server(lambda *_: asyncio.sleep(0), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield configured(tmp_path, **{"venues.kalshi.rest_url": f"http://127.0.0.1:{port}/trade-api/v2"})
    server.close()


async def test_a_scan_that_hangs_is_not_the_last(mute: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("predsurv.cli.commands.rescan.SCAN_SECONDS_MAX", 0)
    with pytest.raises(TransientError, match="its list was not read within 0 minutes"):
        await rescan(mute, {}, KALSHI)
    await until(lambda: not multiprocessing.active_children())


async def test_stopping_ends_the_process(mute: Config, tmp_path: Path) -> None:
    scanning = asyncio.create_task(rescan(mute, {}, KALSHI))
    await until(multiprocessing.active_children)
    scanning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await scanning
    await until(lambda: not multiprocessing.active_children())
    assert not list(tmp_path.rglob("universe.jsonl"))  # noqa: ASYNC240
