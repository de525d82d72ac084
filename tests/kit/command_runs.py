"""The program as its users start it: processes with real pipes, in a folder of their own, ended when the test is."""

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[2]

CONFIG: Final = """
data_dir = "data"
[mock]
enabled = true
markets = 60
rate = 300
[collector]
max_instruments = 40
rotation_period = "2s"
[storage]
seal_interval = "1s"
heartbeat_interval = "1s"
[metrics]
port = {port}
"""

FREEZING: Final = """
import os, sys
from predsurv.cli.app import main
from predsurv.collect.collector import Collector
turn = Collector._turn
async def freezing(self, committer):
    await turn(self, committer)
    if os.path.exists("freeze"):
        os.read(os.open("freeze", os.O_RDWR), 1)
Collector._turn = freezing
sys.exit(main())
"""
"""Its event loop waits in a read that does not return, once there is a fifo of that name."""

Stream = int | IO[Any] | None


class HealthAnswer(NamedTuple):
    """What /healthz or /livez answered: 0 and nothing while nobody listens."""

    status: int
    body: Mapping[str, Any]


class Workplace:
    """A folder with a configuration of the made-up venue; ``port`` is that of its metrics."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.folder = folder
        self.data = folder / "data"
        self.running: list[subprocess.Popen[str]] = []
        (folder / "config").mkdir(exist_ok=True)
        (folder / "config" / "surveillance.toml").write_text(CONFIG.format(port=self.port))

    def start(
        self,
        *arguments: str,
        code: str = "import sys; from predsurv.cli.app import main; sys.exit(main())",
        script: str = 'exec "$@"',
        stdout: Stream = subprocess.PIPE,
        stderr: Stream = subprocess.PIPE,
        environ: Mapping[str, str] | None = None,
    ) -> "subprocess.Popen[str]":
        """Start ``predsurv`` with ``arguments``: as the words of a shell ``script``, so that it may redirect them."""
        process = subprocess.Popen(
            ["sh", "-c", script, "sh", sys.executable, "-c", code, *arguments],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | dict(environ or {}),
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
        self.running.append(process)
        return process

    def run(self, *arguments: str, **how: Any) -> "subprocess.CompletedProcess[str]":
        """Run ``predsurv`` to its end."""
        process = self.start(*arguments, **how)
        out, err = process.communicate(timeout=300)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def sealed(self) -> int:
        """Return how many files of book changes were sealed so far."""
        return len(list((self.data / "book_deltas").rglob("*.parquet")))

    def ask(self, path: str = "/healthz") -> HealthAnswer:
        """Return what the metrics server answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
                return HealthAnswer(answer.status, json.loads(answer.read()))
        except urllib.error.HTTPError as error:
            with error:
                return HealthAnswer(error.code, json.loads(error.read()))
        except OSError:
            return HealthAnswer(0, {})

    def end(self) -> None:
        """Kill what still runs."""
        for process in self.running:
            process.kill()
            process.wait()
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()


def full_pipe() -> Sequence[int]:
    """Return the ends of a pipe that is full: whoever writes into it waits until somebody reads."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    try:
        while True:
            os.write(write, b"x" * 4_096)
    except BlockingIOError:
        os.set_blocking(write, True)
    return read, write
