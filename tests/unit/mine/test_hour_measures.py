"""Every statistic of generated tapes, compared with plain Python that looks at each moment."""

import pytest
from hypothesis import given

from predsurv.core import native
from tests.kit.generated_tapes import tapes
from tests.kit.mined_oracle import expected
from tests.kit.mined_tapes import MinedTape, mined

IMPLEMENTATIONS = [False] if native.speedups is None else [False, True]


@pytest.mark.parametrize("by_c", IMPLEMENTATIONS)
@given(tape=tapes)
def test_every_statistic_is_what_looking_at_each_moment_gives(by_c: bool, tape: MinedTape) -> None:
    found, wanted = mined(tape, by_c=by_c), expected(tape)
    assert {name: found[name] for name in wanted} == {
        name: None if value is None else pytest.approx(value, rel=1e-6, abs=1e-7) for name, value in wanted.items()
    }
