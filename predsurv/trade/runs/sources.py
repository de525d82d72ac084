"""Where the code of a run's own strategies stands, with a fingerprint: the same name may be other code by now."""

import inspect
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path

from msgspec import Struct

from predsurv.core.ids import StrategyName
from predsurv.engine.strategy import Strategy

_OURS = "predsurv."


class StrategySource(Struct, frozen=True):
    """The file of a strategy's class, and its SHA-256 in hex when the run began."""

    strategy: StrategyName
    path: str
    attribute: str
    sha256: str

    @property
    def spec(self) -> str:
        """What loads it again: ``file.py:Class``."""
        return f"{self.path}:{self.attribute}"


def sources_of(strategies: Iterable[Strategy]) -> Iterator[StrategySource]:
    """Yield the sources of those strategies that are not this program's; none of what was typed into a session."""
    for strategy in strategies:
        made = type(strategy)
        if made.__module__.startswith(_OURS):
            continue
        try:
            path = Path(inspect.getfile(made)).resolve()
        except (OSError, TypeError):
            continue
        digest = digest_of(path)
        if digest is not None:
            yield StrategySource(StrategyName(strategy.name), str(path), made.__qualname__, digest)


def digest_of(path: Path) -> str | None:
    """Return the SHA-256 of a file in hex, None where there is none that can be read."""
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
