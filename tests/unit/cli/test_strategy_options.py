"""What is chosen on the command line is what runs, in one run as in a sweep."""

from pathlib import Path

import pytest

from predsurv.cli.strategy_options import ChosenRun, RunChoice, load_run, one_run
from predsurv.core.errors import ConfigError


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def chosen(*params: str) -> ChosenRun:
    return load_run(RunChoice(None, True, ["simple"], params))


def test_one_run_has_the_queue_model_and_the_parameters_that_were_given() -> None:
    assert one_run(chosen()).trading.queue_model == "proportional"
    config = one_run(chosen("queue_model=pessimistic", "clip=5"))
    assert (config.trading.queue_model, config.strategies) == ("pessimistic", {"simple": {"clip": "5"}})


def test_several_values_are_a_sweep_and_no_run() -> None:
    for params in (("queue_model=pessimistic,optimistic",), ("clip=5,6", "queue_model=optimistic")):
        made = chosen(*params)
        assert made.is_sweep
        assert len({(str(each.parameters), each.queue_model) for each in made.combinations}) == 2
        with pytest.raises(ConfigError, match="several values are a sweep"):
            one_run(made)


def test_a_wrong_queue_model_is_answered_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="there are pessimistic, proportional, optimistic"):
        chosen("queue_model=lucky")


@pytest.mark.parametrize(
    ("flag", "configured", "paid"), [(None, False, False), (None, True, True), (True, False, True)]
)
def test_rebates_are_paid_as_the_flag_says_or_else_the_configuration(
    tmp_path: Path, flag: bool | None, configured: bool, paid: bool
) -> None:
    path = tmp_path / "some.toml"
    path.write_text(f"[trading]\nrebates = {str(configured).lower()}\n")
    assert load_run(RunChoice(str(path), True, ["simple"], (), flag)).config.trading.rebates is paid
    assert not load_run(RunChoice(str(path), True, ["simple"], (), False)).config.trading.rebates
