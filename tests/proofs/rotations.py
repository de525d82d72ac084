"""A thousand rotations on made-up markets, against the exchange's own tape: nothing lost, doubled or unexplained.

``python -m tests.proofs.rotations [COUNT]``. Time is virtual: a thousand rotations are over in a minute.
"""

import asyncio
import sys
from functools import partial

from tests.kit.rotation_trial import rotate


async def main(count: int) -> int:
    """Run and report; return 1 when anything is wrong."""
    verdict = await rotate(count)
    print(verdict)
    wrong = verdict.lost + verdict.doubled + verdict.untiled + verdict.orphans + verdict.unexplained.total()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(partial(main, int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)()))
