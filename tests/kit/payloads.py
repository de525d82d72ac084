"""Venue payloads for tests: the project's own, which are always there, and recorded ones where a folder holds them.

Both are laid out alike, so a test that takes ``payloads`` runs on each. ``tests/data/README.md`` says what the files
are.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

DATA: Final = Path(__file__).resolve().parents[1] / "data"


class Payloads(NamedTuple):
    """A folder of payloads; ``name`` is ``own`` or ``recorded``."""

    name: str
    root: Path

    @property
    def polymarket(self) -> Path:
        """Return the folder of Polymarket's payloads."""
        return self.root / "polymarket"

    @property
    def kalshi(self) -> Path:
        """Return the folder of Kalshi's payloads."""
        return self.root / "kalshi"

    def one(self, pattern: str) -> Path:
        """Return the only file that matches ``pattern``; raises ValueError when there is not exactly one."""
        (found,) = self.root.glob(pattern)
        return found

    def load(self, pattern: str) -> Any:
        """Return the value in the only file that matches ``pattern``."""
        return json.loads(self.one(pattern).read_text())

    def expected(self, name: str) -> Any:
        """Return what the payloads are known to decode to, from ``tests/data/expected``."""
        return json.loads((DATA / "expected" / self.name / f"{name}.json").read_text())

    def opening_and_change(self) -> tuple[Path, Path]:
        """Return Polymarket's opening book of one token, and the price change that came next."""
        opening = self.one("polymarket/captured/ws_market_*_opening_book.json")
        (book,) = json.loads(opening.read_text())
        changes = self.polymarket.glob("captured/ws_market_*_price_change.json")
        (change,) = (path for path in changes if json.loads(path.read_text())["market"] == book["market"])
        return opening, change

    def kalshi_frames(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield every frame that Kalshi sends, named by file, line and type."""
        for file in sorted(self.kalshi.glob("ws/*.jsonl")):
            for number, line in enumerate(file.read_text().splitlines(), start=1):
                entry = json.loads(line)
                frame = entry.get("frame") or entry.get("payload")
                if isinstance(frame, dict) and "type" in frame:
                    yield f"{file.stem}:{number} {frame['type']}", frame


OWN: Final = Payloads("own", DATA)
RECORDED: Final = Payloads(
    "recorded", Path(os.environ.get("PREDSURV_PAYLOADS") or DATA.parents[2] / "shared" / "payloads")
)
SOURCES: Final = (OWN, RECORDED)
MISSING: Final = f"no recorded payloads at {RECORDED.root}: set PREDSURV_PAYLOADS to the folder that has them"


def available() -> list[Payloads]:
    """Return the sources that are there: the own payloads, then the recorded ones where they are present."""
    return [source for source in SOURCES if source.root.is_dir()]


def required(source: Payloads) -> Payloads:
    """Return ``source``; skips the test when it is absent."""
    if source not in available():
        pytest.skip(MISSING)
    return source
