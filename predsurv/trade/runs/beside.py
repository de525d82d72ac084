"""What a live run's folder has of its paper twin, compared with the run."""

from msgspec import Struct

from predsurv.trade.journal import OrderJournal
from predsurv.trade.results.divergence import Divergence, divergence
from predsurv.trade.results.result import RunResult
from predsurv.trade.runs.folder import RunFolder
from predsurv.trade.runs.info import JOURNAL_FILE


class TwinBeside(Struct, frozen=True):
    """A twin's result and how its orders differ from the live run's; ``whole``: it went along to the end."""

    result: RunResult
    divergence: Divergence
    whole: bool


def read_twin(folder: RunFolder) -> TwinBeside | None:
    """Return the twin of a run, None where it has none that wrote results; raises IntegrityError for a damaged one."""
    twin = folder.twin()
    result = None if twin is None else twin.results()
    if twin is None or result is None:
        return None
    live, paper = (OrderJournal(each.file(JOURNAL_FILE), readonly=True) for each in (folder, twin))
    try:
        return TwinBeside(result, divergence(live.entries(), paper.entries()), twin.info().complete)
    finally:
        live.close()
        paper.close()
