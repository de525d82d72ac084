"""Closed streams are replaced, whatever has their number meanwhile; the umask only tightens."""

import os
import signal
import subprocess
import sys

import pytest

from predsurv.cli import streams

PROBE = """
import os, sys
for number in {closed}:
    os.close(number)
{before}
sys.stdin = sys.stdout = sys.stderr = None
from predsurv.cli import streams
streams.put_in_order()
data = os.open({path!r}, os.O_RDWR | os.O_CREAT)
print("for nobody")
print("for nobody", file=sys.stderr, flush=True)
sys.exit(0 if data > 2 and sys.stdin.read() == "" else 1)
"""


@pytest.mark.parametrize("closed", [(0, 1, 2), (1,), (2,), (0, 2)])
@pytest.mark.parametrize("before", ["", "taken = os.open('/dev/zero', os.O_RDWR)"])
def test_a_number_of_a_standard_stream_never_goes_to_a_file_of_data(
    tmp_path_factory: pytest.TempPathFactory, closed: tuple[int, ...], before: str
) -> None:
    path = tmp_path_factory.mktemp("data") / "file"
    probe = PROBE.format(closed=closed, before=before, path=str(path))
    done = subprocess.run([sys.executable, "-c", probe], stdin=subprocess.DEVNULL, check=False, capture_output=True)
    assert (done.returncode, path.read_bytes()) == (0, b"")


@pytest.mark.parametrize(("given", "kept"), [(0o000, 0o022), (0o002, 0o022), (0o077, 0o077), (0o027, 0o027)])
def test_the_umask_only_tightens(given: int, kept: int) -> None:
    before = os.umask(given)
    try:
        streams.put_in_order()
        assert os.umask(0) == kept
    finally:
        os.umask(before)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_an_encoding_lacks_has_a_plain_character_of_the_same_width(encoding: str) -> None:
    text = "─ – − … × ± ¢ √ · ▁▄█ ▌ Ж"
    probe = f"from predsurv.cli import streams; streams.put_in_order(); print({text!r})"
    environ = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-c", probe], env=environ, check=True, capture_output=True)
    plain = done.stdout.decode(encoding).rstrip("\n")
    assert len(plain) == len(text)
    assert plain.startswith("- - - ~ ")
    assert plain.count("?") == 1, "only of what is not ours nothing is said"


def test_an_interrupt_ends_the_process_while_modules_are_imported() -> None:
    probe = """
import os, signal
from predsurv.cli.streams import ending_at_once
with ending_at_once():
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        pass
"""
    done = subprocess.run([sys.executable, "-c", probe], check=False, capture_output=True)
    assert (done.returncode, done.stderr) == (130, b"interrupted\n")


def test_other_handlers_of_interrupts_stay() -> None:
    with streams.ending_at_once():
        at_once = signal.getsignal(signal.SIGINT)
        with streams.ending_at_once():
            assert signal.getsignal(signal.SIGINT) is at_once is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
