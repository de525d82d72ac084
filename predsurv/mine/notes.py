"""What a day's statistics do not know, in words: shown with the table, the report and every other output."""

from collections.abc import Iterator

import polars as pl

from predsurv.mine.figures import WITHOUT_BOOKS
from predsurv.mine.job import MiningResult


def notes(mined: MiningResult) -> Iterator[str]:
    """Yield a phrase for everything that is not known of the observed instruments."""
    observed = mined.stats.filter(pl.col("observed_s") > 0)
    yield from _books(mined.stats.filter(WITHOUT_BOOKS).height, observed.height)
    yield from _trades(observed)
    if mined.listing.unlisted:
        yield str(mined.listing)
    if mined.unplaced:
        they = "1 other instrument" if mined.unplaced == 1 else f"{mined.unplaced:,} other instruments"
        yield f"trades of {they} count nowhere: no listing says of which market it is an outcome"
    if gone := sum(len(each.files) for each in mined.lost):
        yield (
            f"{gone:,} sealed file{' is' if gone == 1 else 's are'} gone, which counts as a gap (file_missing): "
            "run 'predsurv verify'"
        )


def _books(without: int, observed: int) -> Iterator[str]:
    if without:
        of = "" if not observed else f" of {without:,} of {without + observed:,} instruments"
        yield f"books{of} were not recorded, trades only: what is of books is unknown; that part of their scores is 0"


def _trades(observed: pl.DataFrame) -> Iterator[str]:
    silent = observed.filter(pl.col("trades_observed_s") <= 0)
    partly = observed.filter((pl.col("trades_observed_s") > 0) & pl.col("trades_missing").is_not_null())
    if not silent.is_empty():
        every = silent.height == observed.height
        of = "" if every else f" of {silent.height:,} of {observed.height:,} instruments"
        yield f"trades{of} were not recorded: {_reasons(silent)}; that part of their scores counts as 0"
    if not partly.is_empty():
        yield f"trades of {partly.height:,} instruments were recorded part of the time only: {_reasons(partly)}"


def _reasons(rows: pl.DataFrame) -> str:
    return ", ".join(sorted({reason or "not observed" for reason in rows["trades_missing"]}))
