"""Precedents: earlier markets of a series that read as one contract and paid differently, and the veto that they are.

Markets recur: an hour, a day, a game is one contract after another of the same two series. Where two that settled paid
differently, the series settle by something else, whatever the texts say, and the next two of them are no one contract
either. So a precedent is kept for good, beside the queue: lists and recordings forget the markets it was found in.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from predsurv.core.errors import IntegrityError
from predsurv.core.num import MICROS
from predsurv.mapping.findings import Finding
from predsurv.mapping.terms import Terms
from predsurv.store.files import make_dirs, write_whole

PRECEDENTS_MAX: Final = 100_000
"""Precedents that are kept, the latest: of a contradiction that repeats itself the older ones tell nothing more."""

_Pair = tuple[str, str]


class PrecedentSide(Struct, frozen=True):
    """A market that settled: what a share of its first outcome ``paid`` (micros), its ``series`` and its ``template``.

    ``template``: the telling words of its title, without dates and numbers; either is "" where there is none.
    """

    market: str
    paid: int
    series: str = ""
    template: str = ""


class Precedent(Struct, frozen=True):
    """Two markets that read as one contract, or were approved as one, and paid differently.

    ``heard_at``: when the later of both settlements was heard (ns UTC).
    """

    first: PrecedentSide
    second: PrecedentSide
    heard_at: int

    @property
    def name(self) -> _Pair:
        """Return the ids of both markets."""
        return self.first.market, self.second.market

    def words(self) -> _Pair:
        """Return what either market paid, in words."""
        one, other = (f"{side.market} paid ${side.paid / MICROS:g}" for side in (self.first, self.second))
        return one, other


def side_of(terms: Terms, paid: int) -> PrecedentSide:
    """Return a market with these fields that ``paid`` so much (micros a share of its first outcome) as a side."""
    return PrecedentSide(terms.market_id, paid, terms.series, template(terms))


def template(terms: Terms) -> str:
    """Return the words that markets of one kind share: those of title and subtitle without dates and numbers."""
    return " ".join(sorted({word for word in (*terms.words, *terms.subject) if not any(map(str.isdigit, word))}))


class Precedents:
    """The precedents of two venues by the series and by the templates of both markets."""

    def __init__(self, found: Iterable[Precedent] = ()) -> None:
        self._by_series: dict[_Pair, Precedent] = {}
        self._by_template: dict[_Pair, Precedent] = {}
        for each in sorted(found, key=lambda each: (each.heard_at, each.name)):
            if each.first.series and each.second.series:
                self._by_series[each.first.series, each.second.series] = each
            if each.first.template and each.second.template:
                self._by_template[each.first.template, each.second.template] = each

    def __bool__(self) -> bool:
        """Return whether there is any."""
        return bool(self._by_series or self._by_template)

    def of(self, one: Terms, other: Terms) -> Precedent | None:
        """Return the latest precedent of markets of these kinds, None where there is none."""
        if not self:
            return None
        found = (
            self._by_series.get((one.series, other.series)),
            self._by_template.get((template(one), template(other))) if self._by_template else None,
        )
        known = [each for each in found if each is not None]
        return max(known, key=lambda each: each.heard_at, default=None)

    def finding(self, one: Terms, other: Terms) -> Finding | None:
        """Return the veto against two markets that have not both settled, None where nothing speaks against them."""
        settled = one.paid is not None and other.paid is not None
        precedent = None if settled else self.of(one, other)
        return None if precedent is None else Finding("precedent", "conflict", *precedent.words())


NO_PRECEDENTS: Final = Precedents()


def precedents_path(data_dir: Path) -> Path:
    """Return the file in which the precedents are kept, a line of JSON each."""
    return data_dir / "mapping" / "precedents.jsonl"


def read_precedents(data_dir: Path) -> tuple[Precedent, ...]:
    """Return the precedents that are kept, () without a file; raises IntegrityError for a damaged one."""
    path = precedents_path(data_dir)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return ()
    try:
        return tuple(msgspec.json.decode(line, type=Precedent) for line in content.splitlines())
    except msgspec.DecodeError as error:
        raise IntegrityError(f"{path}: {error}; mend the line: a pair without it may be taken for the same") from error


def write_precedents(found: Sequence[Precedent], data_dir: Path) -> None:
    """Replace the precedents that are kept, the latest of them; raises OSError and leaves the old ones."""
    path = precedents_path(data_dir)
    if not found and not path.exists():
        return
    make_dirs(path.parent)
    latest = sorted(found, key=lambda each: (each.heard_at, each.name))[-PRECEDENTS_MAX:]
    write_whole(path, b"".join(msgspec.json.encode(each) + b"\n" for each in latest))


def merged(kept: Iterable[Precedent], found: Iterable[Precedent], alike: Iterable[_Pair]) -> tuple[Precedent, ...]:
    """Return the precedents ``kept`` and ``found``, without those of pairs known by now to have paid ``alike``."""
    by_name: Mapping[_Pair, Precedent] = {each.name: each for each in (*kept, *found)}
    refuted = frozenset(alike)
    return tuple(each for name, each in by_name.items() if name not in refuted)
