"""Rotation against the exchange's own tape: nothing is lost, doubled or unexplained.

``python -m tests.proofs.rotations`` runs it for longer.
"""

import pytest

from predsurv.core.events import BookDelta
from tests.kit.rotation_trial import Judge, rotate


async def test_rotation_loses_and_doubles_nothing() -> None:
    verdict = await rotate(25)
    assert verdict.swaps > 300
    assert verdict.changes > 3_000
    assert (verdict.lost, verdict.doubled, verdict.orphans, verdict.strays, verdict.untiled) == (0, 0, 0, 0, 0)
    assert not verdict.unexplained


async def test_the_comparison_finds_what_is_lost_or_doubled(monkeypatch: pytest.MonkeyPatch) -> None:
    take, seen = Judge.take, 0

    def spoilt(self: Judge, records: list[object], *rest: object) -> None:
        nonlocal seen
        for record in list(records):
            if isinstance(record, BookDelta):
                seen += 1
                if seen % 50 == 0:
                    records.remove(record)
                if seen % 50 == 25:
                    records.append(record)
        take(self, records, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Judge, "take", spoilt)
    verdict = await rotate(5)
    assert verdict.lost > 10
    assert verdict.doubled > 10
