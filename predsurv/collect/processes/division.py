"""How a recording is divided among processes: each one is a collector with an id and a share of the places of its own.

Which markets a process records is decided by hashing, as among shards (``ShardFilter``), within this machine's shard:
machines may run different numbers of processes.
"""

from typing import Final

import msgspec
from msgspec import Struct

from predsurv.collect.startup import check_shard
from predsurv.config import Config
from predsurv.config.value_types import Name, Shard
from predsurv.core.errors import ConfigError

PROCESSES_MAX: Final = 64
"""Processes of one recording."""


class CollectorPart(Struct, frozen=True):
    """What one process records: ``shard`` of the markets, as the collector that ``config`` describes."""

    config: Config
    shard: Shard

    @property
    def id(self) -> str:
        """Return the id of the process's collector."""
        return self.config.collector.id


def divide(config: Config, processes: int) -> list[CollectorPart]:
    """Return the part of each of ``processes`` processes.

    The first one alone removes old files, since that is done for the whole folder. Raises ConfigError when there are
    fewer places than processes, or no id is left for one.
    """
    collector, storage = config.collector, config.storage
    check_shard(collector)
    if not 1 <= processes <= PROCESSES_MAX:
        raise ConfigError(f"--processes: expected 1 to {PROCESSES_MAX}; got {processes}")
    if processes == 1:
        return [CollectorPart(config, Shard())]
    if collector.max_instruments < processes:
        raise ConfigError(
            f"--processes: {processes} processes cannot share collector.max_instruments = {collector.max_instruments}"
        )
    places, more = divmod(collector.max_instruments, processes)
    parts = []
    for number in range(1, processes + 1):
        own = msgspec.structs.replace(
            collector, id=part_id(collector.id, number), max_instruments=places + (number <= more)
        )
        kept = storage if number == 1 else msgspec.structs.replace(storage, max_age=0, max_bytes=0)
        parts.append(
            CollectorPart(msgspec.structs.replace(config, collector=own, storage=kept), Shard(number, processes))
        )
    return parts


def part_id(collector: str, number: int) -> str:
    """Return the id of process ``number`` (from 1) of ``collector``; raises ConfigError when it is too long."""
    try:
        return msgspec.convert(f"{collector}-{number}", Name)
    except msgspec.ValidationError:
        raise ConfigError(
            f"collector.id: {collector!r} leaves no room for the number of a process; use a shorter one"
        ) from None
