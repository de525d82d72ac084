"""What was measured of a day."""

from collections.abc import Mapping
from typing import NamedTuple

import polars as pl

from predsurv.mine.listed import ListedInstruments
from predsurv.mine.lost_time import LostTime
from predsurv.store.layout import Dataset


class DayMeasures(NamedTuple):
    """What was measured of a day: ``measures`` by name, per ``instrument_id``; ``rows``, counts read per dataset.

    ``listed``: what is known of the instruments. ``lost``: the sealed files of the day that are gone. ``unplaced``:
    instruments whose trades count nowhere, because their books are not recorded and nothing lists their market.
    """

    measures: Mapping[str, pl.DataFrame]
    rows: Mapping[Dataset, int]
    listed: ListedInstruments
    lost: LostTime
    unplaced: int
