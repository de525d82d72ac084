"""A worker ends with its recorder, however that ends."""

import subprocess
import sys

from tests.kit.patience import PATIENCE_S


def test_a_worker_does_not_outlive_a_recorder_that_leaves_at_once() -> None:
    recorder = subprocess.Popen(
        [sys.executable, "-m", "tests.kit.endless_worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert recorder.stdout is not None
    assert recorder.stdout.readline() == b"begun\n"
    rest, _ = recorder.communicate(b"x", timeout=PATIENCE_S)  # until nobody has its stdout any more
    assert (rest, recorder.returncode) == (b"", 130)
