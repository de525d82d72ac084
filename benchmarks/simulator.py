"""What the Polymarket simulator can emit on one core: exchange, books, hashes and frames, everything but the kernel.

``python -m benchmarks.simulator [TOKENS]``.
"""

import asyncio
import sys
import time
from collections.abc import Sequence

from benchmarks import figures
from benchmarks.figures import Comparison, Figure, rate
from predsurv.net.clock import SystemClock
from predsurv.simulate.polymarket.faulty_connection import FaultyConnection
from predsurv.simulate.polymarket.simulator import PolymarketSimulator, PolymarketSimulatorSettings
from predsurv.simulate.server import WebSocketConnection

TOKENS = 1_000
RATE = 50_000
MARKET_NS = 4_000_000_000
SUBSCRIBE_TOKENS = 100


class CountingWebSocket(WebSocketConnection):
    """Counts the messages that it is sent."""

    def __init__(self) -> None:
        self.number = 1
        self.count = self.bytes = 0

    @property
    def backlog(self) -> int:
        return 0

    def send(self, messages: Sequence[bytes]) -> None:
        self.count += len(messages)
        self.bytes += sum(map(len, messages))


def measure(words: Sequence[str]) -> list[Comparison]:
    """Let four seconds of market time pass and say how many messages that took."""
    tokens = int(words[0]) if words else TOKENS
    simulator = PolymarketSimulator(PolymarketSimulatorSettings(markets=tokens, rate=RATE), SystemClock())
    websocket = CountingWebSocket()
    simulator.subscribers.add(FaultyConnection(websocket, lambda *_: None))
    names = [row.tokens[0] for row in simulator.catalog.rows[:tokens]]
    for start in range(0, len(names), SUBSCRIBE_TOKENS):
        text = ",".join(f'"{name}"' for name in names[start : start + SUBSCRIBE_TOKENS])
        simulator.subscribers.on_message(1, f'{{"type":"market","assets_ids":[{text}]}}'.encode())
    simulator.subscribers.flush(0)
    websocket.count = websocket.bytes = 0
    began = time.process_time()
    asyncio.run(simulator.advance(MARKET_NS))
    spent = time.process_time() - began
    return [
        Comparison(
            title=f"The simulated Polymarket: exchange, books, hashes and frames of {tokens:,} tokens",
            method="once; CPU time of the process, without the kernel",
            figures=(
                rate("messages", websocket.count, spent, "messages/s"),
                Figure(what="a message", value=websocket.bytes / websocket.count, unit="bytes"),
            ),
        )
    ]


if __name__ == "__main__":
    sys.exit(figures.main(measure))
