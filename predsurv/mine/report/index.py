"""The index of a data folder's reports: mined days and trading runs, each a link."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final
from urllib.parse import quote

from msgspec import Struct

from predsurv.mine.report.contents import safe
from predsurv.mine.report.style import document
from predsurv.store.files import write_whole
from predsurv.store.layout import RUNS, utc_text

INDEX: Final = "reports.html"
REPORTS_MAX: Final = 10_000
"""Most reports of the index, the newest."""


class WrittenReport(Struct, frozen=True):
    """A report of the data folder: ``kind`` ``day`` or ``run``, what it is of, when it was written (ns UTC)."""

    kind: str
    name: str
    date: str
    path: str
    written: int
    size: int


def find_reports(data_dir: Path) -> list[WrittenReport]:
    """Return the reports below ``data_dir``, newest first: days by date, runs by when they were written."""
    found = []
    for path in data_dir.glob("stats/venue=*/date=*/report.html"):
        venue, date = path.parent.parent.name.removeprefix("venue="), path.parent.name.removeprefix("date=")
        found.append(_report("day", venue, date, path, data_dir))
    runs = data_dir.glob(f"{RUNS}/*/report.html")
    found.extend(_report("run", path.parent.name, "", path, data_dir) for path in runs)
    found.sort(key=lambda each: (each.date or utc_text(each.written)[:10], each.written), reverse=True)
    return found[:REPORTS_MAX]


def _report(kind: str, name: str, date: str, path: Path, data_dir: Path) -> WrittenReport:
    told = path.stat()
    return WrittenReport(kind, name, date, path.relative_to(data_dir).as_posix(), told.st_mtime_ns, told.st_size)


def index_page(reports: Iterable[WrittenReport]) -> str:
    """Return the index as HTML; its links are relative to the data folder."""
    rows = "".join(_row(each) for each in reports)
    heads = "".join(
        f'<th class="{style}"><button type="button">{text}</button></th>'
        for text, style in (("Report", "l"), ("Kind", "l"), ("Date", "l"), ("Written (UTC)", "more"), ("kB", "more"))
    )
    body = (
        '<main id="all"><h1>Reports of this data folder</h1><p>Days of a venue by '
        "<code>predsurv mine --html</code>, runs by <code>backtest --html</code> and <code>runs show --html</code>.</p>"
        f'<div class="wide"><table class="sorted"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
        "</main>"
    )
    return document("reports", body)


def _row(each: WrittenReport) -> str:
    written, name, date = utc_text(each.written)[:16], safe(each.name), safe(each.date)
    return (
        f'<tr><td class="l q" data-v="{name}"><a href="{quote(each.path, safe="/=")}">{name}</a></td>'
        f'<td class="l" data-v="{each.kind}">{each.kind}</td><td class="l" data-v="{date}">{date}</td>'
        f'<td class="more" data-v="{each.written}">{written}</td>'
        f'<td class="more" data-v="{each.size}">{each.size / 1_000:,.0f}</td></tr>'
    )


def write_index(data_dir: Path) -> Path:
    """Replace the index of a data folder and return its path; raises OSError and leaves the old one."""
    path = data_dir / INDEX
    write_whole(path, index_page(find_reports(data_dir)).encode("utf-8", "replace"))
    return path
