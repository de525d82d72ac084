"""A line begins with nothing known and nothing due."""

from predsurv.collect.recording.instrument import RecordedInstrument
from tests.kit.recorder_samples import A


def test_a_new_line_claims_nothing() -> None:
    line = RecordedInstrument(A, 250_000)
    assert (line.book.key, line.inclusion, line.alive) == (A, 250_000, True)
    assert (line.book.trusted, line.pending, line.beating) == (False, False, False)
    assert (line.bids, line.asks, line.shown_at, line.due, line.changed_at, line.epoch) == (None, None, 0, 0, 0, 0)
