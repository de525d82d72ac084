"""The tables of answers in docs/live-orders.md are those of the code."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from predsurv.venues.answers import ANY_STATUS, CLIENT_ERRORS, SUCCESS, AnswerRule
from predsurv.venues.kalshi.orders.answers import RULES as KALSHI
from predsurv.venues.polymarket.orders.answers import RULES as POLYMARKET

_DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "live-orders.md"
_NAMES: dict[Sequence[int], str] = {SUCCESS: "2xx", CLIENT_ERRORS: "4xx", ANY_STATUS: "any", range(500, 600): "5xx"}


def row(rule: AnswerRule) -> str:
    """Return the line of the document for one rule."""
    status = _NAMES.get(rule.statuses) or ", ".join(str(each) for each in rule.statuses)
    said = " ".join(f"`{part}`" for part in (rule.code, rule.state, rule.text) if part) or "anything else"
    if rule.is_readable is False:
        said = "no JSON of the venue"
    what = " and ".join("order" if each == "place" else each for each in rule.operations)
    fate = f"{rule.fate}, phase `{rule.phase}`" if rule.phase else rule.fate
    return f"| {what} | {status} | {said} | {fate} | {rule.reaction.replace('_', ' ')} | {rule.source} |"


@pytest.mark.parametrize(("heading", "rules"), [("### Polymarket", POLYMARKET), ("### Kalshi", KALSHI)])
def test_the_document_has_the_table_of_the_code(heading: str, rules: tuple[AnswerRule, ...]) -> None:
    section = _DOCUMENT.read_text().partition(f"{heading}\n")[2].partition("\n#")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ") and not line.startswith("| to |")]
    assert rows == [row(rule) for rule in rules]
