"""What completion looks up on disk, in the time between two keystrokes: little is read, and nothing is checked.

Words that a shell might take for anything but a word are left out: ids come from a venue, and completion puts them on
a command line.
"""

import mmap
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from predsurv.core.text import sanitise

MARKETS_MAX: Final = 50
BYTES_MAX: Final = 32 << 20
"""Of each universe file, how much is looked through."""

DATES_MAX: Final = 31
RUNS_MAX: Final = 50
_HELP_CHARS: Final = 60

_SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_SETTING: Final = re.compile(r"""^(data_dir|local_dir)\s*=\s*["']([^"'\n]*)["']""", re.MULTILINE)
_QUESTION: Final = re.compile(rb'"question":"((?:[^"\\]|\\.)*)"')


def data_dir(given: Mapping[str, str], environ: Mapping[str, str]) -> Path:
    """Return the data folder of the configuration that is named on the line, or of the one that is found."""
    named = given.get("--config")
    settings: dict[str, str] = {}
    for path in [Path(named), Path("config") / named] if named else [Path("config/surveillance.toml")]:
        if path.is_file():
            with suppress(OSError, ValueError):
                head = re.split(r"^\s*\[", path.read_text(encoding="utf-8"), maxsplit=1, flags=re.MULTILINE)[0]
                settings = dict(_SETTING.findall(head))
            break
    folder, local = (
        environ.get(f"PREDSURV_{name.upper()}") or settings.get(name) or "data" for name in ("data_dir", "local_dir")
    )
    return Path(local if "://" in folder else folder)


def runs(folder: Path) -> list[str]:
    """Return the ids of runs, newest first."""
    return [name for name in sorted(_names(folder / "runs"), reverse=True) if _SAFE.match(name)][:RUNS_MAX]


def dates(folder: Path, venues: Sequence[str]) -> list[str]:
    """Return today, yesterday and the recorded days, newest first, of ``venues`` if any of them was recorded."""
    recorded = [name for name in _names(folder / "coverage") if name.startswith("venue=")]
    chosen = [name for name in recorded if name.removeprefix("venue=") in venues] or recorded
    days = {each.removeprefix("date=") for name in chosen for each in _names(folder / "coverage" / name)}
    return ["today", "yesterday", *[day for day in sorted(days, reverse=True) if _SAFE.match(day)][:DATES_MAX]]


def markets(folder: Path, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield ids of listed markets that begin with ``prefix``, with their question, at most ``MARKETS_MAX``."""
    found = 0
    for venue in sorted((folder / "metadata").glob("venue=*")):
        newest = max(venue.glob("date=*/universe.jsonl"), default=None)
        if newest is None:
            continue
        with suppress(OSError, ValueError):  # gone, or empty
            for market in _in_file(newest, prefix):
                yield market
                found += 1
                if found >= MARKETS_MAX:
                    return


def _in_file(path: Path, prefix: str) -> Iterator[tuple[str, str]]:
    wanted = re.compile(rb'"market_id":"(' + re.escape(prefix.encode()) + rb'[^"\\]*)"')
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for match in wanted.finditer(content, 0, BYTES_MAX):
            name = match[1].decode("utf-8", "replace")
            if _SAFE.match(name):
                told = _QUESTION.search(content, match.end(), match.end() + 4_096)
                yield name, "" if told is None else sanitise(told[1].decode("utf-8", "replace"), _HELP_CHARS)


def _names(folder: Path) -> list[str]:
    try:
        return [each.name for each in folder.iterdir()]
    except OSError:
        return []
