"""Writes the report of a run into its folder."""

from pathlib import Path

from predsurv.core.events import Fill, FillFailed
from predsurv.store.files import write_whole
from predsurv.trade.journal import AccountUpdated, OrderJournal
from predsurv.trade.report.page import RunReport, page
from predsurv.trade.results.result import RunResult
from predsurv.trade.runs.beside import read_twin
from predsurv.trade.runs.folder import RunFolder
from predsurv.trade.runs.info import JOURNAL_FILE, REPORT_FILE


def write_report(folder: RunFolder, result: RunResult) -> Path:
    """Write ``report.html`` and return its path; raises IntegrityError for a damaged folder, and OSError."""
    info = folder.info()
    journal = OrderJournal(folder.file(JOURNAL_FILE), readonly=True)
    try:
        answers = [entry.event for entry in journal.entries() if isinstance(entry, AccountUpdated)]
        failed = {(event.key, event.trade_id) for event in answers if isinstance(event, FillFailed)}
        fills = [each for each in answers if isinstance(each, Fill) and (each.key, each.trade_id) not in failed]
    finally:
        journal.close()
    path = folder.file(REPORT_FILE)
    write_whole(path, page(RunReport(info, folder.state(info), result, fills, read_twin(folder))).encode())
    return path
