"""``--duration`` is a positive time, or one line says what it should look like."""

import pytest

from predsurv.cli.runtime import duration_ns
from predsurv.core.errors import ConfigError


def test_a_duration_is_ns() -> None:
    assert duration_ns(None) is None
    assert duration_ns("1500ms") == 1_500_000_000


@pytest.mark.parametrize("text", ["", "0s", "-5s", "soon", "5"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r'--duration: expected a time such as "60s"'):
        duration_ns(text)
