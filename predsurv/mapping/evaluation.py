"""How good a queue is against labels: precision and recall of what is accepted, and of the score's order."""

from collections.abc import Sequence

from msgspec import Struct

from predsurv.mapping.scoring import ScoredPair

TOP = 3


class QueueQuality(Struct, frozen=True):
    """Shares in [0, 1], None where nothing was there to divide by.

    ``precision`` and ``recall``: of the pairs that were accepted without a person. ``recall_at_p95``,
    ``recall_at_p98``: the greatest recall of the score's order at that precision. ``top1_recall``, ``top3_recall``:
    the share of the true pairs with at most 0 and at most 2 false ones above them in the queue of their Kalshi market.
    """

    pairs: int
    positives: int
    accepted: int
    precision: float | None
    recall: float | None
    average_precision: float | None
    recall_at_p95: float | None
    recall_at_p98: float | None
    top1_recall: float | None
    top3_recall: float | None


ACCEPTED = frozenset({"same"})
"""Relations of pairs that count as accepted."""


def evaluate(queue: Sequence[ScoredPair], truth: dict[tuple[str, str], bool]) -> QueueQuality:
    """Return the quality of a ranked queue, best first, against the labels by ids."""
    labels = [truth[each.first, each.second] for each in queue]
    accepted = [label for each, label in zip(queue, labels, strict=True) if each.comparison.relation in ACCEPTED]
    positives = sum(labels)
    above = _false_above(queue, labels)
    return QueueQuality(
        pairs=len(queue),
        positives=positives,
        accepted=len(accepted),
        precision=_share(sum(accepted), len(accepted)),
        recall=_share(sum(accepted), positives),
        average_precision=_average_precision(queue, labels),
        recall_at_p95=_recall_at(queue, labels, 95),
        recall_at_p98=_recall_at(queue, labels, 98),
        top1_recall=_share(sum(each < 1 for each in above), positives),
        top3_recall=_share(sum(each < TOP for each in above), positives),
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


class _Point(Struct, frozen=True):
    """The pairs down to a score: pairs of one score are taken together, as nothing orders them."""

    taken: int
    right: int


def _points(queue: Sequence[ScoredPair], labels: Sequence[bool]) -> list[_Point]:
    found, right = [], 0
    for index, (each, label) in enumerate(zip(queue, labels, strict=True)):
        right += label
        if index + 1 == len(queue) or queue[index + 1].score != each.score:
            found.append(_Point(index + 1, right))
    return found


def _average_precision(queue: Sequence[ScoredPair], labels: Sequence[bool]) -> float | None:
    positives, area, before = sum(labels), 0.0, 0
    for point in _points(queue, labels):
        area += (point.right - before) * point.right / point.taken
        before = point.right
    return area / positives if positives else None


def _recall_at(queue: Sequence[ScoredPair], labels: Sequence[bool], percent: int) -> float | None:
    positives = sum(labels)
    good = [point.right for point in _points(queue, labels) if 100 * point.right >= percent * point.taken]
    return max(good, default=0) / positives if positives else None


def _false_above(queue: Sequence[ScoredPair], labels: Sequence[bool]) -> list[int]:
    """Return for each true pair how many false ones of its Kalshi market are above it; one of equal score counts."""
    groups: dict[str, list[tuple[float, bool]]] = {}
    for each, label in zip(queue, labels, strict=True):
        groups.setdefault(each.first, []).append((each.score, label))
    return [
        sum(not other and rival >= score for rival, other in group)
        for group in groups.values()
        for score, label in group
        if label
    ]
