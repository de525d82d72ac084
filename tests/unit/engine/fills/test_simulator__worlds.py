"""Our orders in random worlds: none is filled more, or earlier, than in an exchange in which it really rests."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kit.fill_worlds import FillWorld


@given(st.integers(0, 1 << 40))
@settings(deadline=None)
def test_the_pessimistic_model_never_fills_too_much_or_too_early(seed: int) -> None:
    assert [each for each in FillWorld(seed, "pessimistic").play() if each.surplus > 0] == []


def test_the_models_are_a_bracket() -> None:
    pessimistic, proportional, optimistic = (
        sum(each.model for seed in range(60) for each in FillWorld(seed, model).play())
        for model in ("pessimistic", "proportional", "optimistic")
    )
    assert 0 < pessimistic < proportional <= optimistic
