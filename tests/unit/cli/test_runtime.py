"""``--duration`` is a positive time, or one line says what it should look like; lines that are dropped are counted."""

import logging
import sys
from pathlib import Path
from typing import TextIO, cast

import pytest

from predsurv.cli.output.live_panel import Stderr
from predsurv.cli.runtime import duration_ns, lines_dropped
from predsurv.core.errors import ConfigError
from predsurv.telemetry import logs
from predsurv.telemetry.output_relay import OutputRelay


def test_a_duration_is_ns() -> None:
    assert duration_ns(None) is None
    assert duration_ns("1500ms") == 1_500_000_000


@pytest.mark.parametrize("text", ["", "0s", "-5s", "soon", "5"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r'--duration: expected a time such as "60s"'):
        duration_ns(text)


def test_dropped_lines_of_stderr_and_of_the_log_are_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lines_dropped() == 0
    with (tmp_path / "err").open("w") as err, (tmp_path / "log").open("w") as log:
        stderr, relay = OutputRelay(err, bytes_max=0), OutputRelay(log, bytes_max=0)
        monkeypatch.setattr(sys, "stderr", stderr)
        sys.stderr.write("one\ntwo\n")
        for stream, dropped in ((cast(TextIO, Stderr()), 3), (cast(TextIO, relay), 4)):
            undo = logs.set_up(stream=stream)
            try:
                logging.getLogger("predsurv").warning("a line")
                assert lines_dropped() == dropped
            finally:
                undo()
        stderr.finish(1)
        relay.finish(1)
