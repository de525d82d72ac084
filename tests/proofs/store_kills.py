"""The store alone under kill -9 and power cuts: nothing lost, doubled or invented.

``python -m tests.proofs.store_kills [--cycles 500] [--seed 1] [--power-cuts 0.4] [--dir D]``; the share of cycles in
which power is cut too tears off what was not synced, or turns it to garbage.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.kit.killed_store import torture


def main(words: Sequence[str]) -> int:
    """Run; what was found wrong is an AssertionError, and the files are kept then."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.store_kills", description=__doc__)
    parser.add_argument("--cycles", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--power-cuts", type=float, default=0.4, help="share of the cycles, 0 to 1")
    parser.add_argument("--dir", type=Path, help="where to work; a folder for temporary files by default")
    args = parser.parse_args(words)
    folder = Path(tempfile.mkdtemp(prefix="store-kills-", dir=args.dir))
    torture(folder / "data", args.cycles, args.seed, args.power_cuts)
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
