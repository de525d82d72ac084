"""Pending uploads follow from manifest and journal alone, and names are those in the bucket."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from predsurv.core.records import Record
from predsurv.net.clock import ManualClock
from predsurv.store import manifest
from predsurv.store.layout import Layout
from predsurv.store.manifest import SealedFile
from predsurv.store.remote import upload_journal
from predsurv.store.remote.upload_journal import UploadRecord, append, new_batch, pending_batches
from predsurv.store.seal.seal import seal_segment
from predsurv.store.wal.log import WriteAheadLog

DATE = "2027-01-15"
Records = Callable[[int, int], list[Record]]


def file(segment: int, merges: str = "", replaces: tuple[str, ...] = (), collector: str = "c0") -> SealedFile:
    path = f"coverage/venue=mock/date={DATE}/coverage_20270115T120000Z-{collector}-{segment:012d}{merges}.parquet"
    return SealedFile(path, 1, segment * 100, segment * 100 + 99, 10, f"digest{segment}{merges}", replaces)


def journal(layout: Layout, *names: str) -> None:
    append(layout, "c0", DATE, [UploadRecord(name, "d", 1) for name in names])


def test_at_first_every_segment_is_pending_oldest_first(layout: Layout) -> None:
    manifest.append(layout.manifest, "c0", [file(2), file(1)])
    assert pending_batches(layout, "c0") == [new_batch("c0", 1, [file(1)]), new_batch("c0", 2, [file(2)])]
    assert pending_batches(layout, "c") == []
    assert upload_journal.earliest_pending(layout) == 100


def test_a_segment_is_pending_until_its_manifest_is_there(layout: Layout) -> None:
    manifest.append(layout.manifest, "c0", [file(1)])
    journal(layout, file(1).path)
    (left,) = pending_batches(layout, "c0")
    assert (left.missing, left.files) == ((), (file(1),))
    assert left.name == "manifest/c0-000000000001.jsonl"
    assert list(manifest.parse_lines(left.text)) == [file(1)]
    journal(layout, left.name)
    assert pending_batches(layout, "c0") == []
    assert upload_journal.earliest_pending(layout) is None


def test_a_torn_line_of_the_journal_counts_as_absent(layout: Layout) -> None:
    manifest.append(layout.manifest, "c0", [file(1)])
    journal(layout, file(1).path)
    path = layout.uploads / f"c0-{DATE}.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    assert pending_batches(layout, "c0")[0].missing == (file(1),)
    journal(layout, file(1).path)
    assert pending_batches(layout, "c0")[0].missing == ()


def test_a_segment_that_may_be_sealed_again_is_not_pending_yet(
    layout: Layout, clock: ManualClock, records: Records
) -> None:
    log = WriteAheadLog(layout.state, "c0", clock)
    log.append(records(0, 10))
    path = log.close()
    assert path is not None
    seal_segment(path, layout, clock)
    (sealed,) = pending_batches(layout, "c0")
    path.touch()
    assert pending_batches(layout, "c0") == []
    path.unlink()
    assert pending_batches(layout, "c0") == [sealed]


def test_a_file_merged_here_from_uploaded_files_is_not_pending(layout: Layout) -> None:
    """Retention trims coverage, again and again; the bucket keeps the untrimmed files."""
    once = file(2, "m1", (file(1).path, file(2).path))
    again = file(2, "m2", (once.path,))
    manifest.append(layout.manifest, "c0", [file(1), file(2)])
    journal(layout, *(each for n in (1, 2) for each in (file(n).path, upload_journal.manifest_name("c0", n))))
    manifest.append(layout.manifest, "c0", [once])
    assert pending_batches(layout, "c0") == []
    manifest.append(layout.manifest, "c0", [again])
    assert pending_batches(layout, "c0") == []
    assert upload_journal.replaced_files(layout) == {file(1).path, file(2).path, once.path}


def test_a_file_merged_before_any_upload_is_pending_as_it_is(layout: Layout) -> None:
    merged = file(2, "m1", (file(1).path, file(2).path))
    manifest.append(layout.manifest, "c0", [file(1), file(2), merged])
    assert pending_batches(layout, "c0") == [new_batch("c0", 2, [merged])]
    journal(layout, merged.path)
    (left,) = pending_batches(layout, "c0")
    assert (left.files, left.missing) == ((merged,), ())


def test_collectors_whose_names_start_alike_are_kept_apart(layout: Layout) -> None:
    for name in ("c0", "c0-1", "c"):
        manifest.append(layout.manifest, name, [file(1, collector=name)])
    journal(layout, file(1).path, upload_journal.manifest_name("c0", 1))
    assert pending_batches(layout, "c0") == []
    others = [*pending_batches(layout, "c0-1"), *pending_batches(layout, "c")]
    assert [each.collector for each in others] == ["c0-1", "c"]


@pytest.mark.parametrize("name", ["manifest/x.jsonl", "junk"])
def test_an_upload_is_written_as_it_is_read(layout: Layout, name: str) -> None:
    journal(layout, name)
    assert upload_journal.uploaded_names(layout, "c0") == {name}
    assert (
        msgspec.json.decode((layout.uploads / f"c0-{DATE}.jsonl").read_bytes().strip(), type=UploadRecord).path == name
    )
    assert isinstance(layout.uploads, Path)
