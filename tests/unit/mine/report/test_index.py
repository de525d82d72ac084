"""The index: every report of a data folder, newest first, by relative links."""

import re
from pathlib import Path

from predsurv.mine.report.index import INDEX, find_reports, index_page, write_index


def report(data_dir: Path, name: str) -> None:
    path = data_dir / name / "report.html"
    path.parent.mkdir(parents=True)
    path.write_text("<!doctype html>")


def test_days_and_runs_are_found_newest_first_and_linked(tmp_path: Path) -> None:
    report(tmp_path, "stats/venue=mock/date=2026-11-01")
    report(tmp_path, "stats/venue=kalshi/date=2026-11-02")
    (tmp_path / "stats" / "venue=kalshi" / "date=2026-11-03").mkdir()
    assert [(each.kind, each.name, each.date) for each in find_reports(tmp_path)] == [
        ("day", "kalshi", "2026-11-02"),
        ("day", "mock", "2026-11-01"),
    ]
    report(tmp_path, "runs/20261130T120000Z-backtest-mock")
    assert {each.kind for each in find_reports(tmp_path)} == {"day", "run"}
    path = write_index(tmp_path)
    assert path == tmp_path / INDEX
    links = re.findall(r'href="([^"]+)"', path.read_text())
    assert len(links) == 3
    assert all((tmp_path / each).is_file() for each in links)


def test_an_odd_folder_is_no_markup(tmp_path: Path) -> None:
    report(tmp_path, 'runs/"><script>x')
    text = index_page(find_reports(tmp_path))
    assert text.count("<script") == 1
    assert "%22%3E%3Cscript%3Ex/report.html" in text
