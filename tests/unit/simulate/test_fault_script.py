import pytest

from predsurv.core.errors import ConfigError
from predsurv.exchange.fault_script import FaultKinds, ScriptedFault
from predsurv.simulate.fault_script import read_script

S = 1_000_000_000
KINDS = FaultKinds({"drop": 0, "freeze": 3 * S}, {"mixed": "drop@1s freeze~2s"})


def due(text: str, until: int, seed: int = 1) -> list[ScriptedFault]:
    return list(read_script(text, KINDS, seed).due(until))


def test_faults_come_in_order_once_and_not_early() -> None:
    schedule = read_script("drop@5s, freeze@2s:1s drop-all@3s", KINDS, 1)
    assert list(schedule.due(2 * S - 1)) == []
    assert list(schedule.due(3 * S)) == [
        ScriptedFault(2 * S, "freeze", S),
        ScriptedFault(3 * S, "drop", 0, everywhere=True),
    ]
    assert list(schedule.due(10 * S)) == [ScriptedFault(5 * S, "drop")]
    assert list(schedule.due(100 * S)) == []


def test_a_lasting_fault_has_a_default_length() -> None:
    assert due("freeze@1s", S) == [ScriptedFault(S, "freeze", 3 * S)]


def test_a_length_of_zero_is_the_default_one() -> None:
    assert due("freeze@1s:0s", S) == [ScriptedFault(S, "freeze", 3 * S)]


def test_a_repeated_fault_goes_on() -> None:
    assert [fault.at for fault in due("drop@1s/2s", 6 * S)] == [S, 3 * S, 5 * S]


def test_random_times_are_the_seeds_and_near_the_mean() -> None:
    times = [fault.at for fault in due("drop~2s", 400 * S)]
    assert times == [fault.at for fault in due("drop~2s", 400 * S)]
    assert times != [fault.at for fault in due("drop~2s", 400 * S, seed=2)]
    assert 170 <= len(times) <= 230
    assert times[0] > 0


def test_presets_are_scripts() -> None:
    kinds = [fault.kind for fault in due("mixed", 20 * S)]
    assert kinds.count("drop") == 1
    assert kinds.count("freeze") > 3


@pytest.mark.parametrize(
    "text",
    [
        "fly@5s",
        "drop",
        "drop@",
        "drop@5",
        "drop@5s:1s",
        "drop~0s",
        "drop~5s/5s",
        "drop@1s/1ns",
        "freeze@1s:x",
        "DROP@1s",
    ],
)
def test_a_word_that_is_no_fault_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a fault"):
        read_script(text, KINDS, 1)


def test_a_script_has_a_bound() -> None:
    with pytest.raises(ConfigError, match="at most"):
        read_script("drop@1s " * 1_001, KINDS, 1)
