"""Whatever happens in the bucket, and wherever a removal dies, no file goes of which the bucket has no copy."""

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from predsurv.core.errors import TransientError
from predsurv.core.events import Trade
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import Price, Size
from predsurv.core.records import Coverage, Record
from predsurv.net.clock import ManualClock
from predsurv.store import manifest
from predsurv.store.layout import FOLDERS, NS_HOUR, Layout, data_files
from predsurv.store.remote import upload_journal
from predsurv.store.remote.object_store import digest_of
from predsurv.store.remote.upload_journal import UploadRecord
from predsurv.store.seal import confirmed
from predsurv.store.seal.retention import ExpireReport, RetentionPolicy, expire
from predsurv.store.seal.seal import seal_segment
from predsurv.store.wal.log import WriteAheadLog

NOON = 1_800_014_400_000_000_000  # 2027-01-15T12:00:00Z
KEY = InstrumentKey(VenueName("mock"), MarketId("m"), InstrumentId("i"))


class CrashError(BaseException):
    """The process died here."""


def seal_hour(layout: Layout, start: int) -> None:
    """One trade and one covered hour, as one segment."""
    log = WriteAheadLog(layout.state, "c0", ManualClock(start))
    records: list[Record] = [
        Trade(KEY, start + 1, None, Price(1), Size(7), None, None),
        Coverage(KEY, start, start + NS_HOUR, "covered", "live", 1),
    ]
    log.append(records)
    path = log.close()
    assert path is not None
    seal_segment(path, layout, ManualClock(start))


def on_disk(layout: Layout) -> dict[str, bytes]:
    """Every data file by its content's digest, those that a removal took out and did not delete included."""
    paths = [path for dataset in FOLDERS for path in data_files(layout, dataset)]
    paths += layout.expired.glob("*/*.parquet")
    return {manifest.digest(path): path.read_bytes() for path in paths}


class FakeBucket:
    """Objects by name; ``confirm`` sees them as a request would."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.asked = 0

    def confirm(self, records: Sequence[UploadRecord]) -> set[str]:
        self.asked += len(records)
        return {each.path for each in records if digest_of(self.objects.get(each.path, b"not there")) == each.blake2b}

    def upload(self, layout: Layout, count: int = 99) -> None:
        for batch in upload_journal.pending_batches(layout, "c0")[:count]:
            lines = [UploadRecord(batch.name, digest_of(batch.text), len(batch.text))]
            for file in batch.files:
                self.objects[file.path] = (layout.data_dir / file.path).read_bytes()
                lines.append(UploadRecord(file.path, file.blake2b, file.bytes))
            upload_journal.append(layout, "c0", batch.date, lines)

    def repair(self, layout: Layout) -> None:
        """Upload again what is gone and still here, as the recorder does."""
        for log in list(layout.uploads.glob("*.jsonl")):
            for record in upload_journal.parse_records(log.read_bytes()):
                path = layout.data_dir / record.path
                gone = record.path.endswith(".parquet") and record.path not in self.objects
                if gone and path.exists() and manifest.digest(path) == record.blake2b:
                    self.objects[record.path] = path.read_bytes()


class Removals(RuleBasedStateMachine):
    """Sealing, uploading, losing, changing, repairing and removing in any order, removals dying anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.layout = Layout(self.folder)
        self.bucket = FakeBucket()
        self.now = NOON
        self.known: dict[str, bytes] = {}
        self.safe: set[str] = set()

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @rule(hours=st.sampled_from([1, 1, 1, 9]))
    def seal(self, hours: int) -> None:
        seal_hour(self.layout, self.now)
        self.now += hours * NS_HOUR

    @rule(count=st.integers(1, 3))
    def upload(self, count: int) -> None:
        self.bucket.upload(self.layout, count)

    @precondition(lambda self: self.bucket.objects)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        del self.bucket.objects[data.draw(st.sampled_from(sorted(self.bucket.objects)))]

    @rule()
    def empty(self) -> None:
        self.bucket.objects.clear()

    @precondition(lambda self: self.bucket.objects)
    @rule(data=st.data(), content=st.sampled_from([b"", b"another"]))
    def change(self, data: st.DataObject, content: bytes) -> None:
        self.bucket.objects[data.draw(st.sampled_from(sorted(self.bucket.objects)))] = content

    @rule()
    def repair(self) -> None:
        self.bucket.repair(self.layout)

    @rule(age=st.integers(1, 4), at=st.integers(0, 12))
    def remove(self, age: int, at: int) -> None:
        steps: list[str] = []

        def step(name: str) -> None:
            steps.append(name)
            if len(steps) == at:  # 0: never
                raise CrashError

        before = on_disk(self.layout)
        policy = RetentionPolicy(max_age=age * NS_HOUR, confirm=self.bucket.confirm, on_step=step)
        with suppress(CrashError):
            expire(self.layout, ManualClock(self.now), policy)
        there = {digest_of(content) for content in self.bucket.objects.values()}
        for digest in before.keys() - on_disk(self.layout).keys():
            assert digest in there or self._parts_are(digest, there), "the last copy was removed"

    def _parts_are(self, digest: str, there: set[str]) -> bool:
        """Whether a file of rewritten coverage went of which the bucket has every part."""
        listed = {
            file.path: file
            for log in self.layout.manifest.glob("*.jsonl")
            for file in manifest.parse_lines(log.read_bytes())
        }
        by_digest = {file.blake2b: file for file in listed.values()}
        parts = by_digest[digest].replaces if digest in by_digest else ()
        return bool(parts) and all(
            listed[part].blake2b in there or self._parts_are(listed[part].blake2b, there) for part in parts
        )

    @invariant()
    def what_is_listed_is_here(self) -> None:
        for file in manifest.read(self.layout.manifest):
            assert (self.layout.data_dir / file.path).exists() or any(self.layout.expired.glob("*/*"))


Removals.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestRemovals = pytest.mark.slow(Removals.TestCase)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


@pytest.fixture
def bucket(layout: Layout) -> FakeBucket:
    """Six uploaded hours, the first at noon."""
    for number in range(6):
        seal_hour(layout, NOON + number * NS_HOUR)
    made = FakeBucket()
    made.upload(layout)
    return made


def removed(layout: Layout, bucket: FakeBucket, age: int = 1) -> ExpireReport:
    policy = RetentionPolicy(max_age=age * NS_HOUR, confirm=bucket.confirm)
    return expire(layout, ManualClock(NOON + 6 * NS_HOUR), policy)


def hours_left(layout: Layout) -> list[int]:
    return sorted(int(path.parent.name[-2:]) for path in data_files(layout, "trades"))


def test_an_emptied_bucket_stops_every_removal(layout: Layout, bucket: FakeBucket) -> None:
    bucket.objects.clear()
    report = removed(layout, bucket)
    assert report.files == 0
    assert len(report.kept) > 0
    assert hours_left(layout) == [12, 13, 14, 15, 16, 17]


@pytest.mark.parametrize("content", [None, b"", b"another content"])
def test_hours_from_a_lost_or_changed_object_on_stay(layout: Layout, bucket: FakeBucket, content: bytes | None) -> None:
    name = next(layout.relative(path) for path in data_files(layout, "trades") if path.parent.name == "hour=14")
    kept = bucket.objects.pop(name)
    if content is not None:
        bucket.objects[name] = content
    assert removed(layout, bucket).kept == (name,)
    assert hours_left(layout) == [14, 15, 16, 17]
    bucket.objects[name] = kept
    assert removed(layout, bucket).kept == ()
    assert hours_left(layout) == [17]


def test_coverage_is_cut_only_where_the_bucket_has_its_parts(layout: Layout, bucket: FakeBucket) -> None:
    assert removed(layout, bucket, age=4).files == 2
    (merged,) = (path for path in data_files(layout, "coverage") if "m1" in path.name)
    listed = {file.path: file for file in manifest.read(layout.manifest)}
    parts = listed[layout.relative(merged)].replaces
    assert parts
    del bucket.objects[parts[0]]
    assert removed(layout, bucket).files == 0
    assert merged.exists()


def test_an_unreachable_bucket_removes_nothing(layout: Layout, bucket: FakeBucket) -> None:
    def silent(_: Sequence[UploadRecord]) -> set[str]:
        raise TransientError("no answer")

    with pytest.raises(TransientError, match="no answer"):
        expire(layout, ManualClock(NOON + 6 * NS_HOUR), RetentionPolicy(max_age=NS_HOUR, confirm=silent))
    assert hours_left(layout) == [12, 13, 14, 15, 16, 17]


def test_one_call_asks_for_a_bounded_number_of_files_and_the_next_goes_on(
    layout: Layout, bucket: FakeBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confirmed, "CHUNK_FILES", 2)
    monkeypatch.setattr(confirmed, "FILES_MAX", 4)
    assert removed(layout, bucket).kept == ()
    assert bucket.asked <= 6
    left = hours_left(layout)
    assert 0 < len(left) < 6
    for _ in range(12):
        removed(layout, bucket)
    assert len(hours_left(layout)) < len(left)


def test_an_hour_of_more_files_than_one_call_asks_for_is_removed_too(
    layout: Layout, bucket: FakeBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confirmed, "CHUNK_FILES", 1)
    monkeypatch.setattr(confirmed, "FILES_MAX", 1)
    for _ in range(7):
        removed(layout, bucket)
    assert hours_left(layout) == [17]


def test_what_an_interrupted_removal_took_out_is_looked_at_again(layout: Layout, bucket: FakeBucket) -> None:
    def die(step: str) -> None:
        if step == "delete":
            raise CrashError

    policy = RetentionPolicy(max_age=2 * NS_HOUR, confirm=bucket.confirm, on_step=die)
    with pytest.raises(CrashError):
        expire(layout, ManualClock(NOON + 6 * NS_HOUR), policy)
    kept, bucket.objects = bucket.objects, {}
    assert len(removed(layout, bucket, age=2).kept) > 0
    assert hours_left(layout) == [12, 13, 14, 15, 16, 17]
    bucket.objects = kept
    removed(layout, bucket, age=2)
    assert hours_left(layout) == [16, 17]
    assert not list(layout.expired.iterdir())


def test_a_file_that_no_manifest_knows_is_compared_by_its_content(layout: Layout, bucket: FakeBucket) -> None:
    first = next(path for path in data_files(layout, "trades") if path.parent.name == "hour=12")
    stray = first.with_name(first.name.replace("-c0-", "-c7-"))
    shutil.copy(first, stray)
    assert removed(layout, bucket).kept == (layout.relative(stray),)
    bucket.objects[layout.relative(stray)] = first.read_bytes()
    assert removed(layout, bucket).kept == ()
    assert hours_left(layout) == [17]
