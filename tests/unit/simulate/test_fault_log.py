import json
from pathlib import Path

import pytest

from predsurv.core.errors import ConfigError
from predsurv.simulate.fault_log import FaultLog, InjectedFault


def test_faults_are_kept_and_written(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    log = FaultLog(path)
    log.add(InjectedFault("drop", 1, 1, 3, ("7",)))
    log.add(InjectedFault("freeze", 2, 5))
    assert log.of_kind("freeze") == [InjectedFault("freeze", 2, 5)]
    lines = [json.loads(line) for line in path.read_text().splitlines()]  # there before the file is closed
    assert lines == [
        {"kind": "drop", "start": 1, "end": 1, "link": 3, "tokens": ["7"]},
        {"kind": "freeze", "start": 2, "end": 5},
    ]
    log.close()
    log.close()


def test_a_fault_log_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--truth: cannot write"):
        FaultLog(tmp_path / "missing" / "truth.jsonl")
