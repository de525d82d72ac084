"""Approved pairs that settled markets speak against: what ``map build`` found, for whoever would trade them.

A file of its own beside the queue, since what a person approved is theirs to change.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from predsurv.core.errors import IntegrityError
from predsurv.core.mapping import ApprovedMapping
from predsurv.store.files import make_dirs, write_whole

_Side = tuple[str, str]


class ContradictedPair(Struct, frozen=True):
    """A pair of markets (venue, id) as approved at ``approved_at`` (ns UTC), and what speaks against it, in words."""

    first: _Side
    second: _Side
    approved_at: int
    words: tuple[str, ...]

    def speaks_against(self, mapping: ApprovedMapping) -> bool:
        """Return whether it is about this mapping; one that a person approved again afterwards stands."""
        sides = {(str(each.venue), str(each.market_id)) for each in mapping.sides()}
        return sides == {self.first, self.second} and mapping.approved_at <= self.approved_at


def contradicted_path(data_dir: Path) -> Path:
    """Return the file of the contradicted pairs, a line of JSON each."""
    return data_dir / "mapping" / "contradicted.jsonl"


def read_contradicted(data_dir: Path) -> tuple[ContradictedPair, ...]:
    """Return the pairs that were contradicted when pairs were compared last; raises IntegrityError for a damaged file.

    () without a file: nothing was compared.
    """
    path = contradicted_path(data_dir)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return ()
    try:
        return tuple(msgspec.json.decode(line, type=ContradictedPair) for line in content.splitlines())
    except msgspec.DecodeError as error:
        raise IntegrityError(f"{path}: {error}; run 'predsurv map build', which writes it anew") from error


def write_contradicted(found: Sequence[ContradictedPair], data_dir: Path) -> None:
    """Replace the pairs that are kept; raises OSError and leaves the old ones."""
    path = contradicted_path(data_dir)
    if not found and not path.exists():
        return
    make_dirs(path.parent)
    write_whole(path, b"".join(msgspec.json.encode(each) + b"\n" for each in found))
