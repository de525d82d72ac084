"""Own strategies' files are known by their content; ours, and what was typed into a session, are not."""

from hashlib import sha256
from pathlib import Path

from predsurv.trade.runs.sources import digest_of, sources_of
from predsurv.trade.strategy_loading import build
from tests.kit.backtests import Taker


def test_the_file_of_an_own_strategy_is_known_by_its_content() -> None:
    (found,) = sources_of([*build(["simple"]), Taker()])
    file = Path(found.path)
    assert (found.strategy, file.name, found.attribute) == ("taker", "backtests.py", "Taker")
    assert found.sha256 == sha256(file.read_bytes()).hexdigest()
    assert found.spec == f"{file}:Taker"


def test_code_without_a_file_has_no_source(tmp_path: Path) -> None:
    space = {"__name__": "typed"}
    exec("class Typed:\n    name = 'typed'\n", space)  # noqa: S102 - as a session does
    assert list(sources_of([space["Typed"]()])) == []  # type: ignore[operator]
    assert digest_of(tmp_path / "gone.py") is None
