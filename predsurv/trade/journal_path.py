"""Where an account's journal is; apart from what opens one, so that looking at it imports no engine."""

from pathlib import Path

from predsurv.store.layout import Layout


def journal_path(data_dir: Path, mode: str) -> Path:
    """Return the path of a mode's journal; modes never share one."""
    return Layout(data_dir).state / "trading" / f"{mode}.db"
