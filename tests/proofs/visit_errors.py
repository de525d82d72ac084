"""Standard errors of the statistics of instruments that rotation visits now and then, against what the whole day gives.

``python -m tests.proofs.visit_errors --days 2000``: made-up days of which a part of the periods is seen, drawn by lot;
what the miner states of them, ± t standard errors, should hold what it states of the whole day 95 times of a hundred.
Standard errors take it for unknown; where much of the day is seen they are too large.
"""

import argparse
import sys
from collections.abc import Sequence
from math import sqrt
from statistics import mean, stdev
from typing import Final

from tests.kit.judged_samples import STATED, JudgedError, judge

COVER_LEAST: Final = 0.90
ERROR_BETWEEN: Final = (0.85, 1.15)
_BATCH: Final = 20


def main(words: Sequence[str]) -> int:
    """Make days and judge the standard errors of their samples; 1 when these are wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.visit_errors")
    parser.add_argument("--days", type=int, default=400)
    parser.add_argument("--seen", type=float, default=0.1, help="the part of the periods that is drawn")
    given = parser.parse_args(words)
    found: dict[str, list[JudgedError]] = {name: [] for name in STATED}
    for first in range(0, given.days, _BATCH):
        for name, judged in judge(range(first, min(first + _BATCH, given.days)), given.seen).items():
            found[name] += judged
    print(f"{given.days} days, each period seen with the probability {given.seen:g}")
    print("statistic                      days   error / standard error   95 % intervals hold the day")
    wrong = [_told(name, judged, given.seen) for name, judged in found.items()]
    return int(any(wrong))


def _told(name: str, judged: Sequence[JudgedError], seen: float) -> bool:
    """Print how the standard errors of a statistic did and return whether they are wrong.

    What is ``seen`` of the day is known, so that samples are off by √(1 − seen) of what the errors say.
    """
    n, cover = len(judged), mean(each.held for each in judged)
    ratio = stdev(each.off for each in judged) / sqrt(mean(each.error**2 for each in judged))
    doubt = sqrt(max(cover * (1 - cover), 1 / n) / n)
    print(f"{name:30} {n:4} {ratio:24.2f} {cover:22.1%} ± {doubt:.1%}")
    low, high = ERROR_BETWEEN
    return cover + 2 * doubt < COVER_LEAST or not low <= ratio / sqrt(1 - seen) <= high


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
