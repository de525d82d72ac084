"""Tell where a report for a browser was written, and where all of a data folder are listed."""

from pathlib import Path

from predsurv.cli.output.render import near, say


def say_report(path: Path, data_dir: Path) -> None:
    """Say where a report is, and renew the index of the reports of ``data_dir``; raises OSError."""
    from predsurv.mine.report.index import write_index

    say(f"report: {near(path)}; all reports: {near(write_index(data_dir))}")
