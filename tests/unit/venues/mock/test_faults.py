"""The configured faults of the mock venue: what is accepted, and how other text is refused."""

import pytest

from predsurv.core.errors import ConfigError
from predsurv.exchange.fault_script import ScriptedFault
from predsurv.venues.mock.faults import parse_faults

SECOND = 1_000_000_000


def test_faults_are_parsed_and_sorted() -> None:
    assert parse_faults(["freeze@12s:3s", "drop@5s", "gap@500ms"]) == (
        ScriptedFault(SECOND // 2, "gap"),
        ScriptedFault(5 * SECOND, "drop", SECOND // 2),
        ScriptedFault(12 * SECOND, "freeze", 3 * SECOND),
    )


@pytest.mark.parametrize(
    "text",
    [
        "drop",
        "drop@",
        "drop@5",
        "fall@5s",
        "gap@5s:3s",
        "drop@5s:x",
        "",
        "drop@5s;rm",
        "drop@-5s",
        "drop@5s/9s",
        "drop~5s",
        "drop-all@5s",
    ],
)
def test_other_text_is_refused_by_name_with_examples(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_faults([text])
    message = str(caught.value)
    assert repr(text) in message
    assert '"drop@5s' in message
    assert "\n" not in message


def test_an_explicit_length_of_zero_is_kept() -> None:
    assert parse_faults(["drop@5s:0s"]) == (ScriptedFault(5 * SECOND, "drop", 0),)


def test_number_of_faults_is_bounded() -> None:
    with pytest.raises(ConfigError, match="at most"):
        parse_faults(["drop@5s"] * 2_000)
