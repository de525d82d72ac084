"""The switches of live trading: each that is off is named in one line, and nothing is asked when one is."""

from pathlib import Path

import pytest

from predsurv.config import Config, load
from predsurv.core.errors import ConfigError, SafetyError
from predsurv.trade.halt_flag import HaltRecord
from predsurv.trade.live.switches import CONFIRM, check_halt, check_mode, confirm, live_venues


def configured(folder: Path, **flags: object) -> Config:
    return load(None, flags={"data_dir": str(folder), **flags}, environ={}, root=folder).config


def never(_: str) -> str | None:
    raise AssertionError("nobody is to be asked")


def test_configuration_and_flags_have_to_say_the_same(tmp_path: Path) -> None:
    live, paper = configured(tmp_path, **{"trading.mode": "live"}), configured(tmp_path)
    check_mode(live, live=True, paper=False)
    check_mode(live, live=False, paper=True)
    check_mode(paper, live=False, paper=False)
    with pytest.raises(SafetyError, match="--live is missing"):
        check_mode(live, live=False, paper=False)
    with pytest.raises(SafetyError, match=r"trading\.mode"):
        check_mode(paper, live=True, paper=False)


def test_venues_that_take_real_orders_and_several_only_when_they_are_named(tmp_path: Path) -> None:
    config = configured(tmp_path)
    assert live_venues(config, ["kalshi", "kalshi"], named=False) == ["kalshi"]
    assert live_venues(config, ["polymarket", "kalshi"], named=True) == ["polymarket", "kalshi"]
    for names in ([], ["kalshi", "polymarket"]):
        with pytest.raises(ConfigError, match="which venue"):
            live_venues(config, names, named=False)
    with pytest.raises(ConfigError, match="no real orders on 'mock'"):
        live_venues(config, ["kalshi", "mock"], named=True)
    with pytest.raises(ConfigError, match="mock"):
        live_venues(configured(tmp_path, **{"mock.enabled": True}), ["mock"], named=True)


def test_a_halt_in_force_is_a_refusal_and_a_reduction_is_not() -> None:
    check_halt(None)
    check_halt(HaltRecord(0, "slow down", "reducing"))
    with pytest.raises(SafetyError, match=r"stop.*predsurv resume"):
        check_halt(HaltRecord(0, "stop"))


@pytest.mark.parametrize(
    ("environ", "typed", "refusal"),
    [
        ({CONFIRM: "kalshi"}, None, None),
        ({CONFIRM: "polymarket"}, "kalshi\n", CONFIRM),
        ({}, "kalshi\n", None),
        ({}, "yes\n", "not confirmed"),
        ({}, "", "not confirmed"),
        ({}, None, CONFIRM),
    ],
)
def test_the_venues_name_is_typed_or_in_the_environment(
    environ: dict[str, str], typed: str | None, refusal: str | None
) -> None:
    ask = never if environ else lambda _: typed
    if refusal is None:
        confirm(["kalshi"], environ, ask)
    else:
        with pytest.raises(SafetyError, match=refusal):
            confirm(["kalshi"], environ, ask)


def test_each_of_several_venues_is_confirmed() -> None:
    both = ["polymarket", "kalshi"]
    confirm(both, {CONFIRM: "kalshi, polymarket"}, never)
    for given in ("kalshi", "kalshi,polymarket,mock", "kalshi,kalshi"):
        with pytest.raises(SafetyError, match=CONFIRM):
            confirm(both, {CONFIRM: given}, never)
    asked = []

    def ask(question: str) -> str:
        asked.append(question)
        return both[len(asked) - 1]

    confirm(both, {}, ask)
    assert ["polymarket" in asked[0], "kalshi" in asked[1], len(asked)] == [True, True, 2]
    with pytest.raises(SafetyError, match="'kalshi' was not typed"):
        confirm(both, {}, lambda _: "polymarket")
    with pytest.raises(SafetyError, match=f"set {CONFIRM}=polymarket,kalshi"):
        confirm(both, {}, lambda _: None)
