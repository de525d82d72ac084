"""Strategies are found by name, module, file and entry point; what is wrong with one is told in a line."""

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from predsurv.core.errors import ConfigError, StrategyError
from predsurv.core.num import Price
from predsurv.strategies.registry import STRATEGIES
from predsurv.trade import strategy_loading
from predsurv.trade.strategy_loading import (
    absolute_spec,
    build,
    known_strategies,
    load_strategies,
    load_strategy,
    make_strategy,
    without_effect,
)

OWN = '''
from msgspec import Struct
from predsurv.core.num import Price
from predsurv.strategies.own import OwnStrategy

class Params(Struct, frozen=True):
    edge: Price = Price(10_000)

class Fade(OwnStrategy):
    """Fades.

    More of it.
    """
    Params = Params
    def on_event(self, event, view):
        return ()
'''


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_what_comes_along_is_found_by_name_in_its_order() -> None:
    first, second = build(["simple", "arbitrage"]), build(["arbitrage", "simple"])
    assert [each.name for each in first] == [each.name for each in second]
    assert [str(each.name) for each in first] == [name for name in STRATEGIES if name in ("simple", "arbitrage")]
    assert first[0] is not second[0]
    assert load_strategy("simple").origin == "built-in"


def test_a_file_and_a_module_are_imported_from_here(folder: Path) -> None:
    write(folder / "mine.py", OWN)
    for spec in ("./mine.py:Fade", "mine.py:Fade", str(folder / "mine.py:Fade"), "mine.py", "mine:Fade"):
        loaded = load_strategy(spec)
        assert (loaded.name, loaded.doc.splitlines()[0], loaded.spec) == ("fade", "Fades.", spec)
        made: Any = make_strategy(loaded, {"edge": "0.05"})
        assert made.params.edge == 50_000
    assert str(folder) not in sys.path


def test_a_file_may_import_what_is_beside_it(folder: Path) -> None:
    write(folder / "beside.py", "EDGE = 7")
    inner = folder / "deep"
    inner.mkdir()
    write(inner / "beside_it.py", "EDGE = 8")
    write(inner / "mine.py", "from beside_it import EDGE\n" + OWN.replace("10_000", "EDGE"))
    made: Any = build(["./deep/mine.py:Fade"])[0]
    assert made.params.edge == Price(8)


def test_an_installed_package_brings_strategies_by_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder / "packaged.py", OWN)
    monkeypatch.syspath_prepend(str(folder))
    point = EntryPoint("fade-away", "packaged:Fade", strategy_loading.ENTRY_POINTS)
    monkeypatch.setattr(strategy_loading, "entry_points", lambda group: (point,) * (group == point.group))
    assert load_strategy("fade-away").origin == "an entry point"
    assert [each.spec for each in known_strategies(["fade-away"])] == [*STRATEGIES, "fade-away"]
    with pytest.raises(ConfigError, match="did you mean fade-away"):
        load_strategy("fade-awy")


def test_a_class_of_any_kind_will_do_that_has_the_parts(folder: Path) -> None:
    whole = (
        "from predsurv.engine.interest import EVERYTHING\n"
        "class Bare:\n    name, signals, interest = 'bare', frozenset(), EVERYTHING\n"
        "    def on_event(self, event, view): return ()\n"
        "class Part:\n    def on_event(self, event, view): return ()\n"
    )
    write(folder / "bare.py", whole)
    assert build(["./bare.py:Bare"])[0].name == "bare"
    with pytest.raises(ConfigError, match="strategy part has no name; make it a subclass of"):
        build(["./bare.py:Part"])


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("simpel", "unknown strategy 'simpel' .*; did you mean simple?"),
        ("./gone.py:Fade", "gone.py: no such file"),
        ("gone:Fade", "no module gone: it is neither in this folder nor installed"),
        ("mine.py:Fad", "no Fad in .*mine.py; did you mean Fade?"),
        ("two.py", "more than one strategy, or none in .*two.py; name one: One, Two"),
        ("none.py", "name one: it defines none"),
        ("none.py:VALUE", "none.py:VALUE is no strategy; it needs a class with on_event"),
        ("none.py:Odd", "Params has to be a frozen msgspec.Struct"),
        ("text.txt/x:Fade", "no such file"),
    ],
)
def test_what_is_not_there_is_told(folder: Path, spec: str, told: str) -> None:
    write(folder / "mine.py", OWN)
    write(folder / "two.py", "class One:\n def on_event(self): ...\nclass Two:\n def on_event(self): ...\n")
    write(folder / "none.py", "VALUE = 1\n")
    if spec == "none.py:Odd":
        write(folder / "none.py", "class Odd:\n Params = 1\n def on_event(self): ...\n")
    with pytest.raises(ConfigError, match=told):
        load_strategy(spec)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def broken(:\n", "broken.py:1: SyntaxError"),
        ("\n\n1 / 0\n", "broken.py:3: ZeroDivisionError: division by zero"),
        ("import nothing_of_that_name\n", "broken.py:1: ModuleNotFoundError: No module named"),
        ("def f():\n    raise KeyError('k')\nf()\n", "broken.py:2: KeyError"),
    ],
)
def test_code_that_cannot_be_imported_is_told_by_file_and_line(folder: Path, text: str, told: str) -> None:
    write(folder / "broken.py", text)
    for spec in ("./broken.py:Fade", "broken:Fade"):
        with pytest.raises(StrategyError) as caught:
            load_strategy(spec)
        assert told in str(caught.value)
        assert caught.value.exit_code == 1


def test_a_constructor_that_fails_is_told_by_file_and_line(folder: Path) -> None:
    write(folder / "mine.py", OWN + "    def __init__(self, params):\n        raise RuntimeError('no\\nway')\n")
    with pytest.raises(StrategyError, match=r"strategy fade failed at .*mine.py:\d+: RuntimeError: no way"):
        build(["mine.py"])


def test_a_module_is_imported_once(folder: Path) -> None:
    write(folder / "mine.py", OWN)
    assert load_strategy("mine.py").params is load_strategy("./mine.py:Fade").params


def test_two_of_one_name_are_refused_and_none_too(folder: Path) -> None:
    write(folder / "mine.py", OWN)
    write(folder / "other.py", OWN)
    with pytest.raises(ConfigError, match=r"mine.py and other.py are both called fade"):
        load_strategies(["mine.py", "other.py"])
    with pytest.raises(ConfigError, match="no strategy chosen"):
        load_strategies([])


def test_own_ones_come_after_those_that_come_along(folder: Path) -> None:
    write(folder / "mine.py", OWN)
    assert [each.name for each in load_strategies(["mine.py", "simple"])] == ["simple", "fade"]


def test_values_are_those_of_the_strategy_of_that_name() -> None:
    made: Any = build(["simple"], {"simple": {"clip": "7"}, "other": {"x": 1}})[0]
    assert made._params.clip == 7_000_000
    with pytest.raises(ConfigError, match="strategy simple: no parameter clp; did you mean clip"):
        build(["simple"], {"simple": {"clp": 1}})


def test_values_for_no_strategy_are_noticed() -> None:
    strategies = build(["simple"])
    assert without_effect({"simple": {}, "arbitrage": {}, "fade": {}}, strategies) == ["fade"]


def test_a_file_is_named_by_its_whole_path_for_later(folder: Path) -> None:
    assert absolute_spec("./mine.py:Fade") == f"{folder.resolve()}/mine.py:Fade"
    assert absolute_spec("mine.py") == f"{folder.resolve()}/mine.py"
    for spec in ("simple", "module:Fade"):
        assert absolute_spec(spec) == spec


def test_a_file_of_another_kind_is_told(folder: Path) -> None:
    write(folder / "notes.txt", "text")
    with pytest.raises(ConfigError, match=r"notes\.txt: not a Python file"):
        load_strategy("./notes.txt:Fade")


def test_an_error_of_ours_in_their_code_stays_what_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(folder))
    write(folder / "mine.py", OWN.replace("class Fade(", "class Fade_with_a_name_that_is_much_too_long("))
    for spec in ("./mine.py", "mine:Fade"):
        with pytest.raises(ConfigError, match="a name has 1 to 32 characters"):
            load_strategy(spec)
