"""Files of a bucket are fetched before they are read, also where an event loop runs."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from predsurv.api.data import open_data
from predsurv.api.fetching import call_apart, fetch_span
from predsurv.core.errors import ConfigError
from predsurv.store.read.facts import LISTS_BEFORE
from predsurv.store.read.recording import ReplaySpan
from predsurv.store.remote.download import DownloadRequest
from tests.kit.backtests import MIDNIGHT, hours


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, DownloadRequest]]:
    """What a bucket is asked for."""
    monkeypatch.chdir(tmp_path)
    found: list[tuple[str, DownloadRequest]] = []

    async def fetch(bucket: Any, layout: object, wanted: DownloadRequest, tell: Any) -> None:
        tell(0, 1, 0)
        found.append((bucket.url, wanted))

    monkeypatch.setattr("predsurv.api.fetching.download.fetch_missing", fetch)
    return found


def test_a_folder_is_read_as_it_is(asked: list[Any], tmp_path: Path) -> None:
    fetch_span(open_data(tmp_path).config, "mock", ReplaySpan(MIDNIGHT, hours(1)))
    assert asked == []


def test_of_a_bucket_the_days_and_what_held_before_are_fetched(asked: list[Any]) -> None:
    data = open_data("s3://some-bucket/prefix")
    assert data.markets("mock", at=hours(1)).is_empty()
    (url, before), (_, days) = asked
    assert url == "s3://some-bucket/prefix"
    assert before.dates == ReplaySpan(hours(1) - LISTS_BEFORE, hours(1)).dates()
    assert (before.datasets, before.universe) == (("coverage", "lifecycle"), True)
    assert (days.dates, days.venue) == (("2027-01-15",), "mock")


def test_it_works_while_an_event_loop_runs(asked: list[Any]) -> None:
    async def in_a_notebook() -> int:
        return open_data("s3://some-bucket/prefix").trades("mock", "2027-01-15", "2027-01-15").collect().height

    assert asyncio.run(in_a_notebook()) == 0
    assert len(asked) == 2


def test_a_venue_that_does_not_exist_is_told(asked: list[Any], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no venue is called"):
        fetch_span(open_data(tmp_path).config, "nowhere", ReplaySpan(MIDNIGHT, hours(1)))


def test_an_error_in_a_thread_is_raised_here() -> None:
    def fail() -> None:
        raise KeyError("k")

    async def inside() -> None:
        call_apart(fail)

    with pytest.raises(KeyError):
        asyncio.run(inside())
