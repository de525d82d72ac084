"""Names of venues on the command line: a slip is a usage error, whether or not something is recorded."""

from pathlib import Path

from predsurv.core.text import path_component
from predsurv.store.layout import FOLDERS
from predsurv.venues.registry import check_venue


def require_venue(data_dir: Path, name: str | None) -> None:
    """Raise ConfigError unless ``name`` is None, a venue, or anything of which ``data_dir`` has data."""
    if name is not None and not any(
        (data_dir / each / f"venue={path_component(name)}").is_dir() for each in FOLDERS.values()
    ):
        check_venue(name)
