"""Files are compared with what was sealed; those that nobody lists are read."""

from collections.abc import Callable
from pathlib import Path

import pytest

from predsurv.core.errors import IntegrityError
from predsurv.core.records import Record
from predsurv.net.clock import ManualClock
from predsurv.store.layout import Layout, data_files
from predsurv.store.read.verify_digests import TRIES_MAX, check_intact, retry_if_replaced, split_damaged
from predsurv.store.seal.seal import seal_segment
from predsurv.store.wal.log import WriteAheadLog


@pytest.fixture
def file(layout: Layout, clock: ManualClock, records: Callable[[int, int], list[Record]]) -> Path:
    """A sealed file."""
    log = WriteAheadLog(layout.state, "c0", clock)
    log.append(records(0, 200))
    path = log.close()
    assert path is not None
    seal_segment(path, layout, clock)
    return data_files(layout, "deltas")[0]


def unlist(layout: Layout) -> None:
    for path in layout.manifest.iterdir():
        path.unlink()


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("listed", [True, False])
def test_a_whole_file_is_intact(layout: Layout, file: Path, listed: bool) -> None:
    if not listed:
        unlist(layout)
    check_intact(layout, [file])
    assert split_damaged(layout, [file]) == ([file], [])


def test_a_flipped_bit_anywhere_in_a_listed_file_is_damage(layout: Layout, file: Path) -> None:
    flip(file, -30)
    with pytest.raises(IntegrityError, match=r"is damaged \(not what was sealed\): see 'predsurv verify'"):
        check_intact(layout, [file])
    assert split_damaged(layout, [file]) == ([], [file])


def tear(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize("spoil", [tear, lambda path: flip(path, 100), lambda path: flip(path, -1)])
def test_an_unlisted_file_that_is_torn_or_has_a_flipped_bit_in_a_page_or_its_mark_is_damaged(
    layout: Layout, file: Path, spoil: Callable[[Path], None]
) -> None:
    unlist(layout)
    spoil(file)
    with pytest.raises(IntegrityError, match=r"is damaged .*move it elsewhere to do without"):
        check_intact(layout, [file])
    assert split_damaged(layout, [file]) == ([], [file])


@pytest.mark.parametrize("listed", [True, False])
def test_a_file_that_is_gone_is_not_damage(layout: Layout, file: Path, listed: bool) -> None:
    if not listed:
        unlist(layout)
    file.unlink()
    with pytest.raises(FileNotFoundError):
        check_intact(layout, [file])


class Listing:
    """A reading that fails so many times as a file was replaced meanwhile."""

    def __init__(self, stale: int) -> None:
        self.stale, self.reads = stale, 0

    def __call__(self) -> str:
        self.reads += 1
        if self.reads <= self.stale:
            raise FileNotFoundError
        return "read"


def test_a_stale_listing_is_read_again_and_not_forever() -> None:
    assert retry_if_replaced(Listing(TRIES_MAX - 1)) == "read"
    never = Listing(99)
    with pytest.raises(FileNotFoundError):
        retry_if_replaced(never)
    assert never.reads == TRIES_MAX
