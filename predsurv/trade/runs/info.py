"""What a run was made with and how it ended: ``run.json``, and the names of the other files of its folder."""

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from msgspec import Struct

from predsurv import __version__
from predsurv.config import Config
from predsurv.config.schema import walk
from predsurv.config.secrets import looks_secret
from predsurv.core.ids import StrategyName, VenueName
from predsurv.core.mapping import ApprovedMapping
from predsurv.trade.runs.sources import StrategySource

INFO_FILE: Final = "run.json"
RESULTS_FILE: Final = "results.json"
JOURNAL_FILE: Final = "journal.db"
EVENTS_FILE: Final = "events.bin"
MARKETS_FILE: Final = "markets.bin"
REPORT_FILE: Final = "report.html"
LOCK_FILE: Final = "lock"
TWIN_FOLDER: Final = "twin"
"""Where a live run keeps its paper twin: the same files again."""

REDACTED: Final = "***"
_LIBRARIES: Final = ("msgspec", "pyarrow", "polars", "websockets", "httpx")


class AccountBefore(Struct, frozen=True):
    """The account that a run began with: the first ``entries`` of the journal of account ``name``.

    ``checksum`` is that of the last of them.
    """

    name: str
    entries: int
    checksum: int


class DataFingerprint(Struct, frozen=True):
    """What a run read: ``digest`` (BLAKE2b-256, hex) over names and digests of ``files``.

    ``unlisted`` of them are in no manifest and count by name and size.
    """

    digest: str
    files: int = 0
    unlisted: int = 0


class RunInfo(Struct, frozen=True, kw_only=True):
    """A run: times in ns UTC, durations in ns.

    ``requested`` is the time asked for, ``loaded`` the part of it that had events, None where no end was asked for.
    ``ended`` and ``exit_code`` are None while it runs, and of one that was killed. ``complete``: it went through all
    that was asked for. ``config`` holds every key by its dotted name, secrets redacted, ``mappings`` those
    between the markets of its venues. ``sources`` are the files of strategies that are not this program's.
    ``not_recorded`` says why a paper run cannot be replayed, "" when it can.
    """

    run: str
    mode: str
    venues: tuple[VenueName, ...]
    strategies: tuple[StrategyName, ...]
    started: int
    config: dict[str, Any]
    versions: dict[str, str]
    seed: int | None = None
    mirrored: tuple[VenueName, ...] = ()
    mappings: tuple[ApprovedMapping, ...] = ()
    requested_from: int | None = None
    requested: int | None = None
    account: AccountBefore | None = None
    data: DataFingerprint | None = None
    ended: int | None = None
    loaded: int = 0
    complete: bool = False
    exit_code: int | None = None
    not_recorded: str = ""
    notes: tuple[str, ...] = ()
    sources: tuple[StrategySource, ...] = ()


def settings_of(config: Config) -> dict[str, Any]:
    """Return every key of a configuration with its value as TOML would have it; secrets are redacted."""
    return {key.name: REDACTED if looks_secret(key.name) else key.value_type.render(key.value) for key in walk(config)}


def versions() -> dict[str, str]:
    """Return the versions of predsurv, of Python and of the libraries that matter, and the machine's kind."""
    found = {"predsurv": __version__, "python": platform.python_version(), "platform": platform.platform(terse=True)}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # pragma: no cover - a runtime dependency
            found[name] = "unknown"
    return found
