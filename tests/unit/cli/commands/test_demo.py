"""The demo starts from nothing, clears only what a demo made, and does not call half a success one."""

import os
import signal
from pathlib import Path

import pytest

from predsurv.cli.commands import demo
from predsurv.cli.commands.demo import DatasetSummary, prepare, shortcomings, tally, traded
from predsurv.cli.signals import StopSignals
from predsurv.config import load
from predsurv.core.errors import ConfigError, PredsurvError
from predsurv.core.num import Money
from predsurv.trade.stats import BasketStats

FULL = [DatasetSummary("trades", 1, 1, 1)]
GOOD = BasketStats(found=2, filled=1, settled=1, pnl=Money(1))


def test_its_configuration_stands_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREDSURV_MOCK__SEED", "1")
    monkeypatch.chdir(tmp_path)
    config = load(prepare(Path("made") / "here"), environ={}).config
    assert (config.mock.enabled, config.mock.seed, config.metrics.port) == (True, 7, 0)
    assert config.data_dir == tmp_path / "made" / "here" / "data"


def test_a_second_demo_starts_afresh(tmp_path: Path) -> None:
    prepare(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "old").write_text("x")
    prepare(tmp_path)
    assert not (tmp_path / "data").exists()


def test_a_folder_with_something_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(ConfigError, match="choose another folder with --dir"):
        prepare(tmp_path)
    assert (tmp_path / "thesis.txt").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="choose another folder with --dir"):
        prepare(tmp_path / "file" / "demo")


@pytest.mark.parametrize(
    ("datasets", "baskets", "missing"),
    [
        (FULL, [GOOD], []),
        ([DatasetSummary("trades", 0, 0, 0)], [GOOD], ["trades is empty"]),
        (FULL, [], ["no basket was found"]),
        (FULL, [BasketStats(found=1)], ["no basket was filled"]),
        (FULL, [BasketStats(found=1, filled=1)], ["no basket settled with a profit"]),
        (FULL, [BasketStats(found=1, filled=1, settled=1, pnl=Money(-1))], ["no basket settled with a profit"]),
    ],
)
def test_what_a_demo_has_to_show(
    datasets: list[DatasetSummary], baskets: list[BasketStats], missing: list[str]
) -> None:
    assert shortcomings(datasets, baskets) == missing


def test_nothing_is_counted_as_nothing(tmp_path: Path) -> None:
    assert all((each.rows, each.files) == (0, 0) for each in tally(tmp_path))
    assert traded(tmp_path) is None


@pytest.mark.parametrize(("code", "error"), [(130, KeyboardInterrupt), (3, PredsurvError)])
def test_a_step_that_fails_ends_it(
    code: int, error: type[BaseException], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(demo, "main", lambda _: code)
    with pytest.raises(error):
        demo._run(tmp_path / "c.toml", ("scan",))


def test_a_step_that_was_interrupted_and_ended_in_good_order_ends_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    def step(words: list[str]) -> int:
        steps.append(words[0])
        with StopSignals().heard():
            os.kill(os.getpid(), signal.SIGINT)
        return 0

    monkeypatch.setattr(demo, "main", step)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        demo.demo(folder=tmp_path / "demo")
    assert steps == ["scan"]
    assert signal.getsignal(signal.SIGINT) is before
