"""Titles alone, where about half of the markets have no partner: the order of the score, and nothing accepted."""

from collections.abc import Sequence
from pathlib import Path
from statistics import mean

import pytest

from predsurv.mapping.evaluation import QueueQuality
from predsurv.mapping.trial import try_labelled
from tests.kit.mapping_orphans import FITTED, orphaned
from tests.kit.mapping_pairs import ELSEWHERE, PairedEvent, events, write_pairs

SEEDS = range(3)


def qualities(told: Sequence[PairedEvent], folder: Path) -> list[QueueQuality]:
    return [try_labelled(write_pairs(folder / "pairs.csv", orphaned(told, seed))).quality for seed in SEEDS]


@pytest.mark.parametrize(("told", "average_precision"), [(FITTED, 0.95), (events(ELSEWHERE), 0.92)])
def test_the_order_is_right_where_many_have_no_partner(
    told: Sequence[PairedEvent], average_precision: float, tmp_path: Path
) -> None:
    found = qualities(told, tmp_path)
    assert {each.accepted for each in found} == {0}
    assert mean(each.average_precision or 0 for each in found) >= average_precision
    assert mean(each.recall_at_p95 or 0 for each in found) >= 0.6
    assert mean(each.top3_recall or 0 for each in found) >= 0.98


def test_about_half_have_no_partner_and_nearly_all_others_find_theirs() -> None:
    rows = orphaned(FITTED)
    paired = {row["kalshi_ticker"] for row in rows if row["label"] == "1"}
    every = {row["kalshi_ticker"] for row in rows}
    assert 0.4 <= len(paired) / len(every) <= 0.7
    assert len(rows) / len(every) >= 8
