"""The script language: what a word means, and the schedule that follows from it."""

import pytest

from predsurv.exchange.fault_script import FaultEntry, FaultKinds, FaultSchedule, ScriptedFault, parse_entry

S = 1_000_000_000
KINDS = FaultKinds({"drop": 0, "freeze": 3 * S})


@pytest.mark.parametrize(
    ("word", "entry"),
    [
        ("drop@5s", FaultEntry(ScriptedFault(5 * S, "drop"))),
        ("drop-all@5s", FaultEntry(ScriptedFault(5 * S, "drop", everywhere=True))),
        ("freeze@500ms", FaultEntry(ScriptedFault(S // 2, "freeze", 3 * S))),
        ("freeze@1s:0s", FaultEntry(ScriptedFault(S, "freeze", 0))),
        ("freeze@1s:2s/10s", FaultEntry(ScriptedFault(S, "freeze", 2 * S), period=10 * S)),
        ("drop~7s", FaultEntry(ScriptedFault(0, "drop"), period=7 * S, drawn=True)),
    ],
)
def test_a_word_is_an_entry(word: str, entry: FaultEntry) -> None:
    assert parse_entry(word, KINDS) == entry


@pytest.mark.parametrize(
    "word", ["", "drop", "fly@1s", "drop@1s:1s", "drop~1s/2s", "drop~0s", "drop@1s/1ms", " drop@1s"]
)
def test_other_words_are_refused(word: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the caller words the message
        parse_entry(word, KINDS)


def test_a_schedule_yields_each_fault_once_in_order() -> None:
    schedule = FaultSchedule(parse_entry(word, KINDS) for word in ("drop@5s", "freeze@2s", "drop@1s/4s"))
    assert [(fault.at // S, fault.kind) for fault in schedule.due(5 * S)] == [
        (1, "drop"),
        (2, "freeze"),
        (5, "drop"),
        (5, "drop"),
    ]
    assert list(schedule.due(5 * S)) == []


def test_a_fault_can_be_added_to_a_schedule() -> None:
    schedule = FaultSchedule([parse_entry("drop@5s", KINDS)])
    schedule.add(ScriptedFault(2 * S, "freeze", S))
    assert [fault.kind for fault in schedule.due(9 * S)] == ["freeze", "drop"]
