"""A thousand rotations on made-up markets, against the exchange's own tape: nothing lost, doubled or unexplained.

``python -m tests.proofs.rotations [COUNT]``. Time is virtual: a thousand rotations are over in a minute.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from tests.kit.rotation_trial import rotate


def main(words: Sequence[str]) -> int:
    """Run and report; return 1 when anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.rotations", description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=1_000)
    verdict = asyncio.run(rotate(parser.parse_args(words).count))
    print(verdict)
    wrong = verdict.lost + verdict.doubled + verdict.untiled + verdict.orphans + verdict.unexplained.total()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
