"""What was measured of a day."""

from collections.abc import Mapping, Sequence
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


def put_together(parts: Sequence[DayMeasures]) -> DayMeasures:
    """Return the day of which ``parts`` (``observed_day.DayPart``, all of them, in order) were measured one by one."""
    names = dict.fromkeys(name for part in parts for name in part.measures)
    measures = {name: pl.concat([part.measures[name] for part in parts if name in part.measures]) for name in names}
    first = parts[0]
    return DayMeasures(measures, first.rows, first.listed, first.lost, first.unplaced)
