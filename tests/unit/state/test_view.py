"""The view of strategies is read-only, and the engine's context implements exactly it."""

import inspect

from predsurv.engine.context import StrategyContext
from predsurv.state.view import View

OFFERED = {name: member for name, member in vars(View).items() if not name.startswith("_")}


def test_the_engines_context_implements_the_view_with_the_same_parameters() -> None:
    for name, member in OFFERED.items():
        offered = inspect.getattr_static(StrategyContext, name)
        if isinstance(member, property):
            assert isinstance(offered, property), name
        else:
            assert list(inspect.signature(offered).parameters) == list(inspect.signature(member).parameters), name


def test_the_view_has_no_method_that_changes_anything() -> None:
    assert set(OFFERED) == {
        "now",
        "book",
        "buying_room",
        "coverage",
        "positions",
        "state",
        "market",
        "siblings",
        "phase",
        "position",
        "cash",
        "open_orders",
    }
    assert OFFERED["now"].fset is None
