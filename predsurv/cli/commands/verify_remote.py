"""``predsurv verify --remote``: does the bucket have what was uploaded to it?"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final

from predsurv.cli.commands.bucket import bucket_of
from predsurv.cli.output.columns import TEXT_CHARS_MAX
from predsurv.cli.output.progress import progress_line
from predsurv.cli.output.render import Column, Format, Table, Value, show
from predsurv.config import Config
from predsurv.core.errors import ConfigError, IntegrityError
from predsurv.store.layout import Layout
from predsurv.store.remote import upload_journal
from predsurv.store.remote.audit import AuditReport, audit_bucket
from predsurv.store.remote.object_store import Bucket

FINDINGS_SHOWN_MAX: Final = 50

_FINDINGS: Final = (
    Column("state", "State", keep=9),
    Column("object", "Object", keep=8, width_max=TEXT_CHARS_MAX, fit="wrap"),
    Column("local", "Here", keep=7),
)
_HERE: Final = {True: "yes", False: "no", None: ""}


def verify_remote(config: Config, format: Format) -> None:
    """Compare the bucket with the upload journals and the local files, and print what is not as it should be.

    Raises ConfigError without a bucket, TransientError when it does not answer, IntegrityError (exit 4) with findings.
    """
    bucket = bucket_of(config)
    if bucket is None:
        raise ConfigError("verify --remote compares a bucket, and data_dir is a folder: run it without --remote")
    report = asyncio.run(_audited(bucket, Layout(config.data_dir)))
    show(_table(config, bucket, report), format)
    if report.findings:
        found = "1 object is" if len(report.findings) == 1 else f"{len(report.findings):,} objects are"
        raise IntegrityError(
            f"{found} not as they should be in {bucket.url}; what is here and missing there is uploaded again by "
            "'predsurv collect', nothing is ever replaced"
        )


async def _audited(bucket: Bucket, layout: Layout) -> AuditReport:
    with progress_line() as update:
        update(("verify", f"{bucket.url}: looking what there is"))

        def tell(date: str, compared: int) -> None:
            update(("verify", f"{bucket.url}: {date}, {compared:,} objects compared"))

        return await audit_bucket(bucket, layout, tell)


def _table(config: Config, bucket: Bucket, report: AuditReport) -> Table:
    rows: list[Sequence[Value]] = [
        (each.state, each.name, _HERE[each.local]) for each in report.findings[:FINDINGS_SHOWN_MAX]
    ]
    counts = Counter(each.state for each in report.findings)
    notes = [f"{report.compared:,} objects compared"]
    notes += [f"{count:,} {state}" for state, count in sorted(counts.items())]
    if report.incomplete:
        notes.append(f"{report.incomplete:,} more of segments that are not uploaded whole yet")
    if waiting := _waiting(config):
        notes.append(f"{waiting:,} files of {config.collector.id} wait in {config.data_dir}")
    whole = f"all {report.compared:,} objects that were uploaded are in {bucket.url} as they were"
    if not report.compared:
        whole = "nothing was uploaded yet, as far as this folder and the bucket tell"
    return Table("remote", f"In {bucket.url}", _FINDINGS, rows, "; ".join(notes), empty=whole)


def _waiting(config: Config) -> int:
    batches = upload_journal.pending_batches(Layout(config.data_dir), config.collector.id)
    return sum(max(len(each.missing), 1) for each in batches)
