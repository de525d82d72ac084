"""What the Polymarket simulator can emit on one core: exchange, books, hashes and frames, everything but the kernel.

``python -m benchmarks.simulator [TOKENS]``.
"""

import asyncio
import sys
import time
from collections.abc import Sequence

from predsurv.net.clock import SystemClock
from predsurv.simulate.polymarket.faulty_link import FaultyLink
from predsurv.simulate.polymarket.simulator import PolymarketSimulator, PolymarketSimulatorSettings
from predsurv.simulate.server import ClientLink

TOKENS = 1_000
RATE = 50_000
MARKET_NS = 4_000_000_000
SUBSCRIBE_TOKENS = 100


class CountingLink(ClientLink):
    """A link that counts what it is given."""

    def __init__(self) -> None:
        self.number = 1
        self.count = self.bytes = 0

    @property
    def backlog(self) -> int:
        return 0

    def send(self, messages: Sequence[bytes]) -> None:
        self.count += len(messages)
        self.bytes += sum(map(len, messages))


def main(tokens: int) -> int:
    """Let four seconds of market time pass and print the messages that took."""
    simulator = PolymarketSimulator(PolymarketSimulatorSettings(markets=tokens, rate=RATE), SystemClock())
    link = CountingLink()
    simulator.members.join(FaultyLink(link, lambda *_: None))
    names = [row.tokens[0] for row in simulator.listing.rows[:tokens]]
    for start in range(0, len(names), SUBSCRIBE_TOKENS):
        text = ",".join(f'"{name}"' for name in names[start : start + SUBSCRIBE_TOKENS])
        simulator.members.hear(1, f'{{"type":"market","assets_ids":[{text}]}}'.encode())
    simulator.members.flush(0)
    link.count = link.bytes = 0
    began = time.process_time()
    asyncio.run(simulator.advance(MARKET_NS))
    spent = time.process_time() - began
    print(f"{link.count / spent:,.0f} messages/s of CPU, {link.bytes / link.count:.0f} B each ({spent:.1f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else TOKENS))
