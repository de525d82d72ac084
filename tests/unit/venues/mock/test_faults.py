"""The fault script: what it accepts, and how it refuses."""

import pytest

from predsurv.core.errors import ConfigError
from predsurv.venues.mock.faults import MockFault, parse_faults

SECOND = 1_000_000_000


def test_parses_and_sorts() -> None:
    assert parse_faults(["freeze@12s:3s", "drop@5s", "gap@500ms"]) == (
        MockFault(SECOND // 2, "gap"),
        MockFault(5 * SECOND, "drop", SECOND // 2),
        MockFault(12 * SECOND, "freeze", 3 * SECOND),
    )


@pytest.mark.parametrize(
    "text", ["drop", "drop@", "drop@5", "fall@5s", "gap@5s:3s", "drop@5s:x", "", "drop@5s;rm", "drop@-5s"]
)
def test_refuses_by_name_and_says_what_would_do(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_faults([text])
    message = str(caught.value)
    assert repr(text) in message
    assert '"drop@5s' in message
    assert "\n" not in message


def test_script_is_bounded() -> None:
    with pytest.raises(ConfigError, match="at most"):
        parse_faults(["drop@5s"] * 2_000)
