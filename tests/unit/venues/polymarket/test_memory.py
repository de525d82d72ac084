"""What is remembered is remembered within bounds."""

import pytest

from predsurv.venues.polymarket import memory as module
from predsurv.venues.polymarket.memory import Memory


def test_memories_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PRICES_MAX", "SIZES_MAX", "SEEN_MAX"):
        monkeypatch.setattr(module, name, 4)
    memory = Memory()
    for number in range(1, 30):
        assert memory.prices[f"0.{number:02}"] == number * 10_000
        assert memory.sizes[str(number)] == number * 1_000_000
        assert memory.trades.add(str(number))
        assert max(len(memory.prices), len(memory.sizes)) <= 4
    assert memory.trades.add("1")
    assert not memory.trades.add("29")


def test_herald_shares_announcements_only() -> None:
    memory = Memory()
    other = memory.for_herald()
    assert memory.announced.add("created 0x1")
    assert not other.announced.add("created 0x1")
    assert memory.trades.add("t")
    assert other.trades.add("t")
