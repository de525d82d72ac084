"""``make bench [ARGS='quick|all [--peers FOLDER] [--out FILE]']``: run benchmarks, show tables, write their figures.

``quick``, the default, ends within 15 minutes, whatever the machine does: what is not done by then is left out, and a
line says so. ``python -m benchmarks.page`` makes docs/performance.md of the file. How FOLDER is made stands in
``benchmarks.peer_engines``. Any single benchmark runs alone as ``python -m benchmarks.NAME``.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.session import ALL, QUICK, run, write

OUT = Path("build/benchmarks.json")


def main() -> int:
    """Run what was asked for; return 1 when a check failed or a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("which", nargs="?", choices=("quick", "all"), default="quick")
    parser.add_argument("--peers", type=Path, help="a folder with the environments of peers")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    peers = None if given.peers is None else given.peers.absolute()
    session = run(ALL if given.which == "all" else QUICK, peers, lambda text: print(f"\n== {text}", flush=True))
    write(session, given.out)
    print(f"\nfigures: {given.out}; python -m benchmarks.page {given.out} makes a page of them")
    return int(session.bad)


if __name__ == "__main__":
    sys.exit(main())
