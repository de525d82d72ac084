"""When Python collects garbage while a run trades in real time."""

import gc
from collections.abc import Iterator
from contextlib import suppress

import pytest

from predsurv.trade import garbage
from predsurv.trade.garbage import YOUNG_MAX, YOUNG_MIN, collecting_when_idle


@pytest.fixture
def collections() -> Iterator[list[int]]:
    """The generations that were collected, in turn."""
    done: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            done.append(info["generation"])

    gc.callbacks.append(note)
    yield done
    gc.callbacks.remove(note)


def made(count: int) -> list[list[int]]:
    """So many objects that are kept."""
    return [[number] for number in range(count)]


def test_nothing_is_collected_while_events_are_worked_on(collections: list[int]) -> None:
    with collecting_when_idle():
        collections.clear()
        kept = made(20 * YOUNG_MIN)
        assert collections == []
    assert len(kept) == 20 * YOUNG_MIN


def test_a_run_that_is_never_idle_is_collected_all_the_same(collections: list[int]) -> None:
    with collecting_when_idle():
        collections.clear()
        kept = made(YOUNG_MAX + 1_000)
        assert collections
    assert kept


def test_what_was_made_is_collected_in_an_idle_moment(collections: list[int]) -> None:
    with collecting_when_idle() as idle:
        idle.on_idle()
        collections.clear()
        kept = made(2 * YOUNG_MIN)
        idle.on_idle()
        assert collections == [0]
        idle.on_idle()  # nothing worth it is there
        assert collections == [0]
    assert kept


def test_older_objects_take_their_turn(collections: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "MIDDLE_EVERY", 2)
    monkeypatch.setattr(garbage, "FULL_EVERY", 4)
    with collecting_when_idle() as idle:
        collections.clear()
        kept = [made(2 * YOUNG_MIN)]
        for _ in range(4):
            idle.on_idle()
            kept.append(made(2 * YOUNG_MIN))
        assert collections == [0, 1, 0, 2]


def test_afterwards_python_collects_as_before() -> None:
    before = gc.get_threshold()
    with collecting_when_idle():
        assert gc.get_freeze_count()
    assert gc.get_threshold() == before
    assert not gc.get_freeze_count()


def test_a_run_that_fails_leaves_python_as_it_was() -> None:
    before = gc.get_threshold()
    with suppress(KeyError), collecting_when_idle():
        raise KeyError
    assert gc.get_threshold() == before
