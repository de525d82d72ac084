"""Every mode has a journal of its own, in a folder of journals."""

from pathlib import Path

from predsurv.trade.journal_path import journal_path


def test_modes_never_share_a_journal() -> None:
    paper, live = (journal_path(Path("data"), mode) for mode in ("paper", "live-kalshi"))
    assert paper != live
    assert paper == Path("data/state/trading/paper.db")
    assert paper.parent == live.parent
