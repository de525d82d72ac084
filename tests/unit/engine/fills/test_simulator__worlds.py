"""Our orders in random worlds beside an exchange in which they really rest; ``tests.proofs.fills`` plays many more."""

from predsurv.engine.fills.queue_position import QueueModel
from tests.kit.fill_worlds import FillWorld

WORLDS = 150


def test_the_pessimistic_model_fills_nothing_too_much_or_too_early() -> None:
    played = (each for seed in range(WORLDS) for each in FillWorld(seed, "pessimistic").play())
    assert [each for each in played if each.surplus > 0] == []


def test_the_models_are_a_bracket() -> None:
    models: tuple[QueueModel, ...] = ("pessimistic", "proportional", "optimistic")
    pessimistic, proportional, optimistic = (
        sum(each.model for seed in range(60) for each in FillWorld(seed, model).play()) for model in models
    )
    assert 0 < pessimistic < proportional <= optimistic
