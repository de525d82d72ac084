"""Only a jump of the wall clock is a jump: time passing is none, and being steered is none."""

import pytest

from predsurv.collect.timekeeping import StepWatch

S = 1_000_000_000


class TwoClocks:
    """Wall and monotonic time, set by hand."""

    def __init__(self) -> None:
        self.wall, self.mono = 1_800_000_000 * S, 5 * S

    def now(self) -> int:
        return self.wall

    def monotonic(self) -> int:
        return self.mono

    async def sleep(self, duration: int) -> None:
        raise NotImplementedError


@pytest.mark.parametrize("step", [2 * S, -2 * S, 3_600 * S, -3_600 * S])
def test_a_jump_is_told_once(step: int) -> None:
    clock = TwoClocks()
    watch = StepWatch(clock)
    clock.wall += step + S
    clock.mono += S
    assert watch.jumped() == clock.wall
    assert watch.jumped() is None


def test_time_that_passes_and_small_corrections_are_no_jump() -> None:
    clock = TwoClocks()
    watch = StepWatch(clock)
    for _ in range(100):
        clock.wall += 60 * S + S // 2
        clock.mono += 60 * S
        assert watch.jumped() is None
