"""A recording is divided among processes without losing a place, a market or an id."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from predsurv.collect.processes.division import PROCESSES_MAX, divide
from predsurv.config import CollectorConfig, Config, StorageConfig
from predsurv.config.value_types import Shard
from predsurv.core.errors import ConfigError

CONFIG = Config(
    data_location=Path("data"),
    collector=CollectorConfig(id="fra", max_instruments=10),
    storage=StorageConfig(max_age=5, max_bytes=7),
)


def test_one_process_is_the_collector_as_configured() -> None:
    (part,) = divide(CONFIG, 1)
    assert (part.config, part.shard, part.id) == (CONFIG, Shard(), "fra")


def test_processes_share_the_places_and_have_ids_of_their_own() -> None:
    parts = divide(CONFIG, 3)
    assert [part.id for part in parts] == ["fra-1", "fra-2", "fra-3"]
    assert [part.config.collector.max_instruments for part in parts] == [4, 3, 3]
    assert [part.shard for part in parts] == [Shard(1, 3), Shard(2, 3), Shard(3, 3)]


def test_one_process_alone_removes_what_is_too_old() -> None:
    kept = [(part.config.storage.max_age, part.config.storage.max_bytes) for part in divide(CONFIG, 3)]
    assert kept == [(5, 7), (0, 0), (0, 0)]


@pytest.mark.parametrize("processes", [0, -1, PROCESSES_MAX + 1])
def test_a_number_of_processes_out_of_range_is_refused(processes: int) -> None:
    with pytest.raises(ConfigError, match=f"--processes: expected 1 to {PROCESSES_MAX}; got {processes}"):
        divide(CONFIG, processes)


def test_more_processes_than_places_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"11 processes cannot share collector\.max_instruments = 10"):
        divide(CONFIG, 11)


def test_an_id_without_room_for_a_number_is_refused() -> None:
    long = replace(CONFIG, collector=replace(CONFIG.collector, id="x" * 31))
    with pytest.raises(ConfigError, match=r"leaves no room for the number of a process"):
        divide(long, 2)


def test_a_shard_still_needs_an_id_of_its_own() -> None:
    shared = replace(CONFIG, collector=CollectorConfig(shard=Shard(1, 2)))
    with pytest.raises(ConfigError, match=r"give each shard its own collector\.id"):
        divide(shared, 2)
