"""Find the candidates of two venues' markets and compare them: CPU time and peak memory.

``python -m benchmarks.mapping [FIRST [SECOND]]``, 20,000 markets each by default. Titles and rules have the wordings of
the labelled events; each market has a twin on the other venue, and hundreds beside it that differ in names, thresholds
or days alone.
"""

import random
import re
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks import figures
from benchmarks.figures import Comparison, Figure, Goal
from predsurv.mapping.blocking import candidate_pairs
from predsurv.mapping.matching import match, word_weights
from predsurv.mapping.terms import Listing, read_terms

_LABELLED = Path(__file__).resolve().parents[1] / "tests" / "data" / "mapping"
MARKETS = 20_000
CPU_S_MAX = 60.0
PEAK_MB_MAX = 2_048
_SYLLABLES = ("bar", "del", "fen", "gor", "hal", "ivo", "kel", "lun", "mar", "nor", "oss", "pet", "rud", "sel", "tov")
_DAY = re.compile(r"((?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]* )([0-9]{1,2})\b")
_NUMBER = re.compile(r"[0-9][0-9,]*")


def measure(words: Sequence[str]) -> list[Comparison]:
    """Compare, and say what it took."""
    sizes = [int(each) for each in words] or [MARKETS]
    first, second = sizes[0], sizes[-1]
    kalshi, polymarket = list(listings(first, first=True)), list(listings(second, first=False))
    began = time.process_time()
    ours, theirs = ({each.market_id: read_terms(each) for each in listed} for listed in (kalshi, polymarket))
    read = time.process_time()
    pairs = candidate_pairs(ours.values(), list(theirs.values()))
    blocked = time.process_time()
    queue = match(pairs, ours, theirs, word_weights([*ours.values(), *theirs.values()]), vetoed_evidence=False)
    done = time.process_time()
    twins = sum(each.second == each.first.replace("K", "P", 1) for each in queue if each.rank <= 3)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    scale = max(first * second / MARKETS**2, 1.0)
    return [
        Comparison(
            title=f"Pairs of markets: {len(ours):,} with {len(theirs):,}, {len(pairs):,} candidates",
            method="once; CPU time, and the most resident memory of the process",
            figures=(
                Figure(what="fields", value=read - began, unit="s"),
                Figure(what="candidates", value=blocked - read, unit="s"),
                Figure(what="comparison", value=done - blocked, unit="s"),
                Figure(what="all of it", value=done - began, unit="s", goal=Goal("≤", CPU_S_MAX * scale, "value")),
                Figure(what="memory", value=peak, unit="MB", goal=Goal("≤", PEAK_MB_MAX, "value")),
                Figure(what="twins among the first three", value=twins / min(first, second) * 100, unit="%"),
            ),
        )
    ]


def listings(count: int, *, first: bool) -> list[Listing]:
    """Return so many markets of one venue; number n of both venues are twins."""
    return [_listing(number, first=first) for number in range(count)]


class Wording(NamedTuple):
    """An event in the words of both venues: titles and rules by key, and names as (Kalshi, Polymarket)."""

    ticker: str
    texts: dict[str, str]
    names: list[tuple[str, str]]


def wordings() -> list[Wording]:
    """Return the events of the labelled set; its file says what each of its lines is."""
    found: list[Wording] = []
    for file in ("events.txt", "titles.txt"):
        for line in (_LABELLED / file).read_text(encoding="utf-8").splitlines():
            kind, _, rest = line.partition(" ")
            if kind == "@":
                found.append(Wording(rest.split()[0], {}, []))
            elif kind in ("k", "p", "kr", "pr"):
                found[-1].texts[kind] = rest
            elif kind == "x":
                forms = (each.split("=")[1:] for each in rest.split("; "))
                found[-1].names.extend((each[0], each[-1]) for each in forms)
    return found


EVENTS = wordings()


def _listing(number: int, *, first: bool) -> Listing:
    """Return a market after one of the labelled events: its wording and rules, with names and days of its own."""
    rng = random.Random(number)
    event = EVENTS[number % len(EVENTS)]
    model = event.names[number // len(EVENTS) % len(event.names)]
    name, other = _name(rng, *model)
    day = rng.randrange(1, 29)
    keys = ("k", "kr") if first else ("p", "pr")
    title, rules = (_filled(event.texts.get(key, ""), name, other, day) for key in keys)
    if first:
        title, _, subtitle = title.partition(" / ")
        return Listing("kalshi", f"K{number}", title, subtitle, rules, reference=f"{event.ticker}-{number}")
    return Listing("polymarket", f"P{number}", title, rules=rules)


def _name(rng: random.Random, kalshi: str, polymarket: str) -> tuple[str, str]:
    """Return a name in the forms of both venues: other numbers in a bucket, other words in a name."""
    if _NUMBER.search(kalshi):
        added = rng.randrange(1_000)
        return _raised(kalshi, added), _raised(polymarket, added)
    name = " ".join("".join(rng.choices(_SYLLABLES, k=rng.randrange(2, 4))).title() for _ in range(2))
    return name, name


def _raised(text: str, added: int) -> str:
    return _NUMBER.sub(lambda found: f"{int(found[0].replace(',', '')) + added:,}", text)


def _filled(text: str, kalshi: str, polymarket: str, day: int) -> str:
    return _DAY.sub(lambda found: f"{found[1]}{day}", text.replace("{k}", kalshi).replace("{p}", polymarket))


if __name__ == "__main__":
    sys.exit(figures.main(measure))
