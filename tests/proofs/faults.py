"""Break everything that a recording stands on, and compare what is left with what was told.

``python -m tests.proofs.faults full|refusals|flips|kill [--rounds N] [--seed N] [--dir D] [--injected]`` prints one
line of figures for each battery and exits with 1 when anything was found. ``kill`` sets the clock of the whole process
by libfaketime, which asks a file for every look at the clock; with ``--injected`` a cycle takes a tenth of the CPU.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.proofs.set_clock import begin_again

ROUNDS: Final = {"full": 50, "refusals": 0, "flips": 1_000, "kill": 50}
SHOWN: Final = 20


def main() -> int:
    """Run the battery that was asked for; return 1 when it found something."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.faults", description=__doc__)
    parser.add_argument("battery", choices=list(ROUNDS))
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dir", type=Path, help="where to work; a folder for temporary files by default")
    parser.add_argument("--injected", action="store_true", help="set the collector's clock only, not its process's")
    args = parser.parse_args()
    if args.battery == "kill" and not args.injected:
        begin_again("tests.proofs.faults", sys.argv[1:])
    rounds = ROUNDS[args.battery] if args.rounds is None else args.rounds
    folder = Path(tempfile.mkdtemp(prefix="faults-", dir=args.dir))
    found = _battery(args.battery)(folder, rounds, args.seed)
    for finding in found[:SHOWN]:
        print(f"  FOUND {finding[:1_000]}")
    if found:
        print(f"  {len(found)} findings; everything is kept in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


def _battery(name: str) -> Callable[[Path, int, int], list[str]]:
    # Each loads only what it can: some must fork before a library starts threads.
    match name:
        case "kill":
            from tests.proofs.fault_kill import kill as battery
        case "full":
            from tests.proofs.fault_full import full as battery
        case "flips":
            from tests.proofs.fault_flips import flips as battery
        case _:
            from tests.proofs.fault_refusals import refusals as battery
    return battery


if __name__ == "__main__":
    sys.exit(main())
