"""The view that strategies get can be read and nothing else, and the engine offers exactly it."""

import inspect

from predsurv.engine.context import StrategyContext
from predsurv.state.view import View

OFFERED = {name: member for name, member in vars(View).items() if not name.startswith("_")}


def test_the_engine_offers_every_part_of_it_with_the_same_parameters() -> None:
    for name, member in OFFERED.items():
        offered = inspect.getattr_static(StrategyContext, name)
        if isinstance(member, property):
            assert isinstance(offered, property), name
        else:
            assert list(inspect.signature(offered).parameters) == list(inspect.signature(member).parameters), name


def test_there_is_nothing_in_it_to_change_the_world_with() -> None:
    assert set(OFFERED) == {"now", "book", "state", "market", "siblings", "position", "cash", "open_orders"}
    assert OFFERED["now"].fset is None
