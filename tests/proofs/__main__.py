"""List the proofs, or run one: ``python -m tests.proofs [NAME [ARGUMENTS]]``, as ``make proofs ARGS=…`` does.

A proof ends with 0 when everything held, with 1 when something did not.
"""

import subprocess
import sys
from collections.abc import Sequence
from typing import Final

PROOFS: Final = {
    "faults": "kill|full|flips|refusals: killed collectors, a full disk, flipped bits, refused writes",
    "store_kills": "the store alone, killed and with its power cut",
    "rotations": "instruments change places; nothing is lost, doubled or left out",
    "selection": "calibration|totals|regret: what rotation chooses, beside made-up venues whose truth is known",
    "visit_errors": "standard errors of instruments that are seen now and then, beside the whole day",
    "readers": "other programs scan the files while they are sealed and merged",
    "continuity": "losses, false alarms, freezes and rotations of a Polymarket feed, seen by its hashes",
    "kalshi": "losses|fuzz: sequence gaps of Kalshi, and hostile input",
    "fuzz_polymarket": "mutated frames and REST bodies against every reader of Polymarket",
    "chaos_polymarket": "the adapter against a simulated Polymarket that misbehaves",
    "chaos_kalshi": "the adapter against a simulated Kalshi that misbehaves",
    "births": "simulated days of markets that live for minutes: each is recorded or accounted for",
    "week": "a simulated week with outages, a weekly pause, midnights, merging, retention: everything stays level",
    "dashboards": "a real Prometheus scrapes a collector and a trader: no panel is empty, no alert blind",
    "accounts": "random orders, fills, fees, settlements and restarts: money is conserved, limits hold",
    "killed_traders": "a trader on a simulated Polymarket, killed at any step: each fill and fee is booked once",
    "parity": "live runs on simulated venues beside paper trading on the same feed, and replayed to the byte",
    "restores": "a run replayed with other hash seeds, and stopped at a hundred points: the same to the byte",
    "ticks": "strategies that ask for fewer ticks decide as with every one: the same to the byte",
    "fills": "our orders in random worlds against a price-time exchange: none is filled more, or earlier, than in it",
    "arbitrage": "what the strategy takes of what is there, and what it loses in traps",
    "queues": "queue models beside orders that really rest on the made-up exchange: bounds on both sides of the truth",
    "live": "submits|kills|stops: live runs on simulated venues under faults, killed at each step of an order, stopped",
    "orders": "random orders for Polymarket, byte for byte beside the venue's own client where it is installed",
    "soak": "an hour of recording; memory, descriptors, tasks and threads stay level",
}


def main(words: Sequence[str]) -> int:
    """Run the proof named in a process of its own: some fork before any library may start threads."""
    if not words:
        print("python -m tests.proofs NAME [ARGUMENTS], or make proofs ARGS='NAME …'; --help says which arguments\n")
        for name, about in PROOFS.items():
            print(f"  {name:17} {about}")
        return 0
    if words[0] not in PROOFS:
        print(f"no such proof: {words[0]}; there are {', '.join(PROOFS)}", file=sys.stderr)
        return 2
    return subprocess.run([sys.executable, "-m", f"tests.proofs.{words[0]}", *words[1:]], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
