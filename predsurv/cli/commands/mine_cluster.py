"""``mine --engine dask``: days are measured by a cluster, and added up, scored and shown here."""

from collections.abc import Sequence
from typing import Annotated, Literal

import typer

from predsurv.cli.commands.bucket import fetch_first
from predsurv.cli.commands.dates import span_of
from predsurv.cli.output.progress import progress_line
from predsurv.config import Config
from predsurv.core.errors import ConfigError
from predsurv.mine.cluster import WorkerData, measure_on_cluster
from predsurv.mine.day_results import DayMeasures
from predsurv.mine.recorded_days import MiningDay
from predsurv.store.remote.download import DownloadRequest
from predsurv.store.remote.object_store import BucketLocation

Engine = Annotated[
    Literal["local", "dask"], typer.Option("--engine", help="Where days are measured: here, or on a dask cluster.")
]
Address = Annotated[
    str | None, typer.Option("--address", metavar="tcp://HOST:PORT", help="Of the cluster's scheduler.")
]


def cluster_address(config: Config, engine: str, address: str | None, *, html: bool) -> str | None:
    """Return the address of the cluster to use, None to measure here; raises ConfigError where options do not fit."""
    if (engine == "dask") != (address is not None):
        raise ConfigError("--engine dask and --address tcp://HOST:PORT go together")
    if address is not None and html and config.bucket:
        raise ConfigError("--html draws from files that --engine dask leaves in the bucket: leave one of them out")
    return address


def listed_days(config: Config, venue: str | None, date: str | None) -> Sequence[str]:
    """Return the days that ``date`` names, after their coverage and lists were fetched, where there is a bucket."""
    if date is None or venue is None:
        raise ConfigError("--engine dask: name the venue and the days")
    days = span_of(date).dates()
    if config.bucket:
        fetch_first(config, DownloadRequest(venue=venue, dates=days, datasets=("coverage",), universe=True))
    return days


def measured_there(config: Config, address: str, days: Sequence[MiningDay]) -> list[DayMeasures]:
    """Return what the cluster measured of each of ``days``, in their order."""
    bucket = None
    if config.bucket:
        bucket = BucketLocation(config.bucket, config.object_store.endpoint, config.object_store.region)
    data = WorkerData(config.data_dir.absolute(), bucket)
    with progress_line() as update:
        return measure_on_cluster(
            address, data, days, lambda done, of: update(("cluster", f"{done} of {of} tasks done"))
        )
