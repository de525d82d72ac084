"""What ``collect`` opens for a recording: the venues, and what the collector needs besides them."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from predsurv.cli.commands.bucket import bucket_of
from predsurv.cli.output.render import say
from predsurv.collect.collector import CollectorDeps
from predsurv.collect.rescan import ScanVenue
from predsurv.collect.selection.interest import LiveWeights, MinedScore
from predsurv.config import Config
from predsurv.config.value_types import Shard
from predsurv.core.errors import ConfigError, IntegrityError
from predsurv.core.ids import InstrumentKey, VenueName
from predsurv.mine.previous_scores import EarlierScores
from predsurv.mine.score_weights import busy_weights, weights
from predsurv.ports import Clock, Venue
from predsurv.telemetry.monitor import Monitor
from predsurv.venues.registry import enabled_venues, open_venue

MEASURES_HOURS: Final = "predsurv.mine.roll_up:roll_up_day"
"""What measures merged hours, by its name: a process of its own loads it."""


@asynccontextmanager
async def open_venues(
    config: Config, names: Sequence[str] | None, clock: Clock, share: int = 1
) -> AsyncIterator[list[Venue]]:
    """Open the venues ``names``, by default all that are enabled; requests take one part in ``share`` of the limits.

    Raises ConfigError when none is enabled.
    """
    async with AsyncExitStack() as stack:
        opened = [open_venue(name, config, clock, share=share) for name in venue_names(config, names)]
        for venue in opened:
            stack.push_async_callback(venue.aclose)
        yield opened


def venue_names(config: Config, names: Sequence[str] | None) -> list[str]:
    """Return ``names`` once each, by default all venues that are enabled; raises ConfigError when there is none."""
    chosen = list(dict.fromkeys(names or enabled_venues(config)))
    if not chosen:
        raise ConfigError("no venue is enabled; name one, enable one in the configuration, or use --mock")
    return chosen


def collector_deps(
    config: Config,
    opened: Sequence[Venue],
    monitor: Monitor | None,
    scan: ScanVenue,
    process: Shard = Shard(),
) -> CollectorDeps:
    """Return what the collector of ``process`` needs; raises ConfigError when the bucket cannot be used."""
    return CollectorDeps(
        mined=_mined(config, [venue.name for venue in opened]),
        metrics=monitor.metrics if monitor is not None else None,
        gauges=monitor.recording if monitor is not None else None,
        bucket=bucket_of(config),
        roll_up=MEASURES_HOURS,
        scan=scan,
        weights=LiveWeights(**busy_weights(weights(config.miner.weights, config.miner.preset))),
        process=process,
    )


def _mined(config: Config, names: Sequence[VenueName]) -> Callable[[VenueName], Mapping[InstrumentKey, MinedScore]]:
    weight = weights(config.miner.weights, config.miner.preset)
    earlier = {name: EarlierScores(config.data_dir, name, weight) for name in names}

    def scores(venue: VenueName) -> Mapping[InstrumentKey, MinedScore]:
        try:
            return {key: MinedScore(*score) for key, score in earlier[venue].current().items()}
        except IntegrityError as error:
            say(f"warning: {error}: rotation does without what was mined until that day is mined again")
            return {}

    return scores
