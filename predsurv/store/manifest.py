"""The manifest: what each sealed file must contain, written down beside the datasets.

Kept apart because it is what a later verification trusts, and nothing else reads it.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from predsurv.store.durable import PRIVATE_DIR, append_lines, make_dirs, sync_dir
from predsurv.store.paths import parse_file

_READ_BYTES: Final = 1 << 20


class SealedFile(Struct, frozen=True):
    """A file of a dataset as it was sealed; ``path`` is relative to the data folder.

    ``lo``, ``hi``: least and greatest time of its rows, ns UTC. ``blake2b``: of the whole file.
    """

    path: str
    rows: int
    lo: int
    hi: int
    bytes: int
    blake2b: str


_DECODER = msgspec.json.Decoder(SealedFile)


def record(folder: Path, collector: str, files: Iterable[SealedFile]) -> None:
    """Append a line for each of ``files`` to the manifests of their dates, durably; raises OSError."""
    lines: defaultdict[str, bytes] = defaultdict(bytes)
    for file in files:
        lines[parse_file(Path(file.path))[0].date] += msgspec.json.encode(file) + b"\n"
    if not lines:
        return
    make_dirs(folder, PRIVATE_DIR)
    for date, text in lines.items():
        append_lines(folder / f"{collector}-{date}.jsonl", b"\n" + text)
    sync_dir(folder)


def read(folder: Path, date: str = "*") -> Iterator[SealedFile]:
    """Yield the latest line of every file in the manifests of ``date`` (YYYY-MM-DD), or of all days.

    Blank lines and a line torn by a power cut are passed over: its file is sealed and listed again.
    """
    for path in sorted(folder.glob(f"*-{date}.jsonl")):
        latest: dict[str, SealedFile] = {}
        for line in path.read_bytes().splitlines():
            try:
                file = _DECODER.decode(line)
            except msgspec.MsgspecError:
                continue
            latest[file.path] = file
        yield from latest.values()


def digest(path: Path) -> str:
    """Return the BLAKE2b-256 of a file's content, in hex."""
    state = hashlib.blake2b(digest_size=32)
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            state.update(block)
    return state.hexdigest()
