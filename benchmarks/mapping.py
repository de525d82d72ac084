"""Find the candidates of two venues' markets and compare them: CPU time and peak memory.

``python -m benchmarks.mapping [FIRST [SECOND]]``, 20,000 markets each by default. The markets are the labelled ones
with two made-up names each, so that every one of them has a twin among hundreds that share its other words.
"""

import random
import resource
import sys
import time

from predsurv.mapping.blocking import candidate_pairs
from predsurv.mapping.matching import match, word_weights
from predsurv.mapping.terms import Listing, read_terms
from tests.kit.mapping_pairs import rows

MARKETS = 20_000
CPU_S_MAX = 60.0
PEAK_MB_MAX = 2_048
_SYLLABLES = (
    "bar",
    "del",
    "fen",
    "gor",
    "hal",
    "ivo",
    "kel",
    "lun",
    "mar",
    "nor",
    "oss",
    "pet",
    "rud",
    "sel",
    "tov",
    "wen",
)


def main(first: int, second: int) -> int:
    """Compare, print what it took, return 1 when it took too much."""
    kalshi, polymarket = list(listings(first, first=True)), list(listings(second, first=False))
    began = time.process_time()
    ours, theirs = ({each.market_id: read_terms(each) for each in listed} for listed in (kalshi, polymarket))
    read = time.process_time()
    pairs = candidate_pairs(ours.values(), list(theirs.values()))
    blocked = time.process_time()
    queue = match(pairs, ours, theirs, word_weights([*ours.values(), *theirs.values()]))
    done = time.process_time()
    twins = sum(each.second == each.first.replace("K", "P", 1) for each in queue if each.rank <= 3)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{len(ours):,} × {len(theirs):,} markets, {len(pairs):,} candidates")
    print(f"CPU: fields {read - began:.1f} s, candidates {blocked - read:.1f} s, comparison {done - blocked:.1f} s")
    print(f"{done - began:.1f} s of {CPU_S_MAX:.0f} s of CPU; peak memory {peak:.0f} MB of {PEAK_MB_MAX} MB")
    print(f"twins among the first three of their market: {twins / min(first, second):.1%}")
    scale = max(first * second / MARKETS**2, 1.0)
    return int(done - began > CPU_S_MAX * scale or peak > PEAK_MB_MAX)


def listings(count: int, *, first: bool) -> list[Listing]:
    """Return so many markets of one venue; number n of both venues are twins."""
    found = rows()
    true = [row for row in found if row["label"] == "1"]
    made = []
    for number in range(count):
        row, rng = true[number % len(true)], random.Random(number)
        name = " ".join("".join(rng.choices(_SYLLABLES, k=3)).title() for _ in range(2))
        if first:
            title, sub, rules = (f"{row[key]} {name}" for key in ("kalshi_title", "kalshi_subtitle", "kalshi_rules"))
            made.append(Listing("kalshi", f"K{number}", title, sub, rules, reference=row["kalshi_ticker"]))
        else:
            title, rules = (f"{row[key]} {name}" for key in ("polymarket_question", "polymarket_rules"))
            made.append(Listing("polymarket", f"P{number}", title, rules=rules))
    return made


if __name__ == "__main__":
    sizes = [int(each) for each in sys.argv[1:]]
    sys.exit(main(sizes[0] if sizes else MARKETS, sizes[-1] if sizes else MARKETS))
