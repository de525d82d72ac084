"""A digest of the files that a run read: equal for equal recordings, whatever machine they are on."""

from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

from msgspec import Struct

from predsurv.core.ids import VenueName
from predsurv.store import manifest
from predsurv.store.layout import Dataset, Layout, day_files


class FilesRead(Struct, frozen=True):
    """``digest`` (BLAKE2b-256, hex) over name and digest of each file; ``unlisted`` count by name and size."""

    digest: str
    files: int
    unlisted: int


def fingerprint(data_dir: Path, venue: VenueName, dates: Iterable[str], datasets: Iterable[Dataset]) -> FilesRead:
    """Return the fingerprint of the files of ``venue`` on ``dates`` (YYYY-MM-DD), universes included.

    Digests are those of the manifests; no data file is read. Files in no manifest, universes among them, count by name
    and size: equal ones may differ inside.
    """
    layout, found, unlisted = Layout(data_dir), [], 0
    for date in dates:
        listed = manifest.read_by_path(layout.manifest, date)
        paths = [path for dataset in datasets for path in day_files(data_dir, dataset, venue, date)]
        for path in [*paths, layout.universe(venue, date)]:
            name = layout.relative(path)
            if name in listed:
                found.append(f"{name} {listed[name].blake2b}")
            elif path.exists():
                found.append(f"{name} {path.stat().st_size} bytes")
                unlisted += 1
    state = blake2b("\n".join(sorted(found)).encode(), digest_size=32)
    return FilesRead(state.hexdigest(), len(found), unlisted)
