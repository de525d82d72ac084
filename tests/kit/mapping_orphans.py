"""Titles as they are found: every market has the likeliest of all others as candidates, and many have no true partner.

``python -m tests.kit.mapping_orphans`` prints how the score orders ten draws of them;
``python -m tests.kit.mapping_orphans FILE [elsewhere]`` writes one as CSV for ``predsurv map score``.
"""

import sys
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Final

from predsurv.mapping.blocking import CandidateIndex
from predsurv.mapping.terms import Listing, read_terms
from predsurv.mapping.trial import try_labelled
from tests.kit.mapping_pairs import ELSEWHERE, TITLES, PairedEvent, events, titles, write_pairs

ORPHANS_PERCENT: Final = 45
"""Of the true partners so many are taken away, as about half of the markets of a venue have none on the other."""


def orphaned(told: Iterable[PairedEvent], seed: int = 0) -> list[dict[str, str]]:
    """Return rows of ``COLUMNS``: each Kalshi market with its candidates among all questions that are left.

    A question that several events ask is one question, and true of each market whose partner it is.
    """
    rows = titles(told)
    kalshi = {row["kalshi_ticker"]: row for row in rows}
    partners: dict[str, set[str]] = {}
    for row in rows:
        if row["label"] == "1":
            partners.setdefault(_folded(row), set()).add(row["kalshi_ticker"])
    questions = {_folded(row): row for row in reversed(rows) if not _taken_away(_folded(row), partners, seed)}
    left = list(questions.values())
    index = CandidateIndex([read_terms(_listing(row, first=False)) for row in left])
    return [
        _pair(row, left[number], partners)
        for row in kalshi.values()
        for number in index.candidates(read_terms(_listing(row, first=True)))
    ]


def _folded(row: dict[str, str]) -> str:
    return row["polymarket_question"].casefold()


def _taken_away(question: str, partners: dict[str, set[str]], seed: int) -> bool:
    draw = int.from_bytes(sha256(f"{seed} {question}".encode()).digest()[:4], "big")
    return question in partners and draw % 100 < ORPHANS_PERCENT


def _pair(kalshi: dict[str, str], other: dict[str, str], partners: dict[str, set[str]]) -> dict[str, str]:
    sides = {name: (kalshi if name.startswith("kalshi") else other)[name] for name in kalshi}
    return sides | {"label": str(int(kalshi["kalshi_ticker"] in partners.get(_folded(other), ()))), "reason": ""}


def _listing(row: dict[str, str], *, first: bool) -> Listing:
    if first:
        ticker = row["kalshi_ticker"]
        return Listing("kalshi", ticker, row["kalshi_title"], row["kalshi_subtitle"], reference=ticker)
    name = row["polymarket_id"]
    return Listing("polymarket", name, row["polymarket_question"], reference=name)


FITTED: Final = tuple(each for each in (*events(), *events(TITLES)) if not each.untrue)
"""The events that the rules of the mapping were written with."""

DRAWS: Final = 10
_FIGURES: Final = ("average_precision", "recall_at_p95", "top3_recall")


def figures() -> Iterator[str]:
    """Yield as lines mean, least and greatest of each figure over ``DRAWS`` draws of either set of events."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "pairs.csv"
        for name, told in (("those of the project", FITTED), ("elsewhere", events(ELSEWHERE))):
            found = [try_labelled(write_pairs(path, orphaned(told, seed))).quality for seed in range(DRAWS)]
            yield f"{name}: {sum(each.accepted for each in found)} accepted\n"
            for figure in _FIGURES:
                values = [getattr(each, figure) for each in found]
                yield f"  {figure} {mean(values):.3f} ({min(values):.3f} – {max(values):.3f})\n"


if __name__ == "__main__":
    if sys.argv[1:]:
        write_pairs(Path(sys.argv[1]), orphaned(events(ELSEWHERE) if "elsewhere" in sys.argv else FITTED))
    else:
        sys.stdout.writelines(figures())
