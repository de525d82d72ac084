"""What a replay has to go by, and in words what its recording lacks."""

from collections.abc import Iterator

from msgspec import Struct

from predsurv.store.layout import day_ranges
from predsurv.store.read.facts import ListingCount
from predsurv.store.read.missing import MissingFile


class RecordingSummary(Struct, frozen=True):
    """What a replay has to go by.

    ``listed`` counts the recorded instruments, and those of which nothing was ever stated: these are not traded.
    ``assumed``: instruments recorded before the first statement about their market; what it says is assumed of the
    time before. ``without_trades``: instruments whose trades were not observed. ``not_recorded``: days without
    coverage, which are left out. ``missing``: files that are gone, whose time is a gap. ``polled``: instruments whose
    books were polled at any time, not streamed. ``repeated``: instruments that several collectors observed on one day.
    ``loaded``: the time (ns) in which at least one instrument was recorded. ``without_books``: instruments of which
    only trades were recorded.
    """

    listed: ListingCount
    assumed: int
    without_trades: int
    not_recorded: tuple[str, ...]
    missing: tuple[MissingFile, ...]
    polled: int = 0
    repeated: int = 0
    loaded: int = 0
    without_books: int = 0

    def notes(self) -> tuple[str, ...]:
        """Return a sentence for each thing that it lacked."""
        return (*self._of_instruments(), *self._of_files())

    def _of_instruments(self) -> Iterator[str]:
        if self.listed.unlisted:
            yield f"{self.listed}: they are not traded"
        if self.assumed:
            yield (
                f"{self.assumed:,} of {self.listed.recorded:,} instruments were recorded before their first listing: "
                "until then its tick, fee and minimum are assumed"
            )
        if self.without_books:
            every = self.without_books == self.listed.recorded
            of = "" if every else f"of {self.without_books:,} of {self.listed.recorded:,} recorded instruments "
            yield f"{of}only trades were recorded, no book: nothing can be filled there, fills need books"
        if self.without_trades:
            yield (
                f"the trades of {self.without_trades:,} of {self.listed.recorded:,} recorded instruments were not "
                "observed: orders that rest there fill on quotes alone"
            )
        if self.polled:
            yield (
                f"the books of {self.polled:,} of {self.listed.recorded:,} recorded instruments were polled: "
                "fills on books that are seconds old are too good to be true"
            )
        if self.repeated:
            yield (
                f"{self.repeated:,} of {self.listed.recorded:,} recorded instruments were recorded by several "
                "collectors: each day the rows of the one that observed most of it count"
            )

    def _of_files(self) -> Iterator[str]:
        if self.not_recorded:
            yield f"not recorded: {day_ranges(self.not_recorded)}"
        if self.missing:
            files = "a file is" if len(self.missing) == 1 else f"{len(self.missing):,} files are"
            yield f"{files} gone, whose time counts as a gap: see 'predsurv verify'"
