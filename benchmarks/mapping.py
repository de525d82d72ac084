"""Find the candidates of two venues' markets and compare them: CPU time and peak memory.

``python -m benchmarks.mapping [FIRST [SECOND]]``, 20,000 markets each by default. Each market has a twin on the other
venue, and thousands beside it that share its question and differ in names, places, thresholds or dates.
"""

import random
import resource
import sys
import time

from predsurv.mapping.blocking import candidate_pairs
from predsurv.mapping.matching import match, word_weights
from predsurv.mapping.terms import Listing, read_terms

MARKETS = 20_000
CPU_S_MAX = 60.0
PEAK_MB_MAX = 2_048
_SYLLABLES = ("bar", "del", "fen", "gor", "hal", "ivo", "kel", "lun", "mar", "nor", "oss", "pet", "rud", "sel", "tov")
_YES = 'This market will resolve to "Yes" if so. Otherwise, this market will resolve to "No". '
_TEMPLATES = (
    (
        "Will {name} be the {place} Presidential nominee in 2028?",
        "{name}",
        "Will {name} win the 2028 {place} nomination?",
    ),
    ("Who will be the next mayor of {place}?", "{name}", "Will {name} be elected mayor of {place} in 2026?"),
    ("How many seats will {name} win in {place}?", "Above {n}", "Will {name} win {m} or more seats in {place}?"),
    (
        "{name} price on Dec {day}, 2026?",
        "${n},000 or above",
        "Will the price of {name} be ${n},000 or above on December {day}?",
    ),
    (
        "Will {name} leave office in {place}?",
        "Before Jan {day}, 2027",
        "{name} of {place} out before January {day}, 2027?",
    ),
    (
        "High temperature in {place} on Dec {day}, 2026?",
        "{n}° or above",
        "Will {place} be {n}°F or higher on December {day}?",
    ),
)
"""Title and subtitle of the first venue, question of the second."""


def main(first: int, second: int) -> int:
    """Compare, print what it took, return 1 when it took too much."""
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
    print(f"{len(ours):,} × {len(theirs):,} markets, {len(pairs):,} candidates")
    print(f"CPU: fields {read - began:.1f} s, candidates {blocked - read:.1f} s, comparison {done - blocked:.1f} s")
    print(f"{done - began:.1f} s of {CPU_S_MAX:.0f} s of CPU; peak memory {peak:.0f} MB of {PEAK_MB_MAX} MB")
    print(f"twins among the first three of their market: {twins / min(first, second):.1%}")
    scale = max(first * second / MARKETS**2, 1.0)
    return int(done - began > CPU_S_MAX * scale or peak > PEAK_MB_MAX)


def listings(count: int, *, first: bool) -> list[Listing]:
    """Return so many markets of one venue; number n of both venues are twins."""
    return [_listing(number, first=first) for number in range(count)]


def _listing(number: int, *, first: bool) -> Listing:
    rng = random.Random(number)
    name, place = (" ".join("".join(rng.choices(_SYLLABLES, k=2)).title() for _ in range(2)) for _ in range(2))
    n, day = rng.randrange(2, 150), rng.randrange(2, 29)
    texts = [
        each.format(name=name, place=place, n=n, m=n + 1, day=day) for each in _TEMPLATES[number % len(_TEMPLATES)]
    ]
    rules = f"{_YES}{texts[2]} The resolution source is {place} News, official information and credible reporting. " * 3
    if first:
        return Listing("kalshi", f"K{number}", texts[0], texts[1], rules, reference=f"KXBENCH-26DEC{day:02d}-{number}")
    return Listing("polymarket", f"P{number}", texts[2], rules=rules)


if __name__ == "__main__":
    sizes = [int(each) for each in sys.argv[1:]]
    sys.exit(main(sizes[0] if sizes else MARKETS, sizes[-1] if sizes else MARKETS))
