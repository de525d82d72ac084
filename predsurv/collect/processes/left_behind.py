"""What another number of processes left: a killed collector is recovered by its next start, which may never come."""

import logging
from collections.abc import Sequence
from typing import Final

import msgspec

from predsurv.collect.collector import Collector, CollectorDeps
from predsurv.collect.processes.division import PROCESSES_MAX, CollectorPart
from predsurv.config import Config
from predsurv.core.errors import SafetyError
from predsurv.ports import Clock
from predsurv.store.layout import Layout, segments_of

_LOG: Final = logging.getLogger(__name__)


def left_behind(config: Config, parts: Sequence[CollectorPart]) -> list[str]:
    """Return the ids of those collectors whose log waits to be sealed and that are none of ``parts``.

    They are named as this collector would be in another number of processes.
    """
    base, layout = config.collector.id, Layout(config.data_dir)
    taken = {part.id for part in parts}
    others = [base, *(f"{base}-{number}" for number in range(1, PROCESSES_MAX + 1))]
    return [name for name in others if name not in taken and next(segments_of(layout.wal, name), None) is not None]


async def seal_left_behind(config: Config, parts: Sequence[CollectorPart], clock: Clock) -> None:
    """Seal what those collectors left and close its coverage; one that runs is left alone."""
    for name in left_behind(config, parts):
        own = msgspec.structs.replace(config, collector=msgspec.structs.replace(config.collector, id=name))
        try:
            report = await Collector(own, [], clock, CollectorDeps()).run(0)
        except SafetyError:  # it runs, or has just been started
            continue
        _LOG.info("sealed what the collector %s left: %d log segments", name, report.recovered)
