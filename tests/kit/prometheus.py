"""A real Prometheus on loopback that scrapes a real collector and a real trader, and the programs for that.

``prometheus`` and ``promtool`` (one package on Debian and Ubuntu: ``prometheus``) are looked for on PATH, or where the
environment variables PROMETHEUS and PROMTOOL point.
"""

import json
import math
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import httpx
import pytest
import yaml

from tests.kit.command_runs import FREEZING
from tests.kit.dashboard import ALERTS
from tests.kit.object_store import BUCKET, object_store
from tests.kit.patience import PATIENCE_S, eventually

COLLECTOR: Final = """
data_dir = "s3://{bucket}/field"
local_dir = "local"
[object_store]
endpoint = "{endpoint}"
[mock]
enabled = true
faults = {faults}
[storage]
seal_interval = "5s"
[metrics]
port = {port}
"""
TRADER: Final = """
[mock]
enabled = true
[metrics]
port = {port}
"""
PREDSURV: Final = (sys.executable, "-m", "predsurv")
_SECRETS: Final = {"AWS_ACCESS_KEY_ID": "anybody", "AWS_SECRET_ACCESS_KEY": "anything"}


def program(name: Literal["prometheus", "promtool"]) -> str | None:
    """Return the path of a program, None when this machine has none."""
    return os.environ.get(name.upper()) or shutil.which(name)


def required(name: Literal["prometheus", "promtool"]) -> str:
    """Return the path of a program; skip the test when this machine has none."""
    found = program(name)
    if found is None:
        pytest.skip(f"{name} is not installed (Debian, Ubuntu: apt install prometheus), and {name.upper()} names none")
    return found


class Prometheus:
    """A running server at ``url``."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, **arguments: str) -> Any:
        """Return what the API answers; raises ValueError with its message when it refuses."""
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=arguments, trust_env=False, timeout=PATIENCE_S)
        if answer.status_code != 200:
            raise ValueError(f"{arguments}: {answer.text}")
        return answer.json()["data"]

    def numbers(self, expression: str) -> Mapping[str, Sequence[float]]:
        """Return the numbers of every series of an expression now, NaN left out, by its labels."""
        return _numbers(self.ask("query", query=expression)["result"])

    def numbers_within(self, expression: str, start: float, end: float) -> Mapping[str, Sequence[float]]:
        """Return the numbers of every series of an expression from ``start`` to ``end`` (s), one a second."""
        found = self.ask("query_range", query=expression, start=str(start), end=str(end), step="1")
        return _numbers(found["result"])


def _numbers(result: Sequence[Mapping[str, Any]]) -> Mapping[str, Sequence[float]]:
    return {
        json.dumps(series["metric"], sort_keys=True): [
            number for _, text in series.get("values", [series.get("value")]) if math.isfinite(number := float(text))
        ]
        for series in result
    }


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(command: Sequence[str], folder: Path, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a command in ``folder`` while the block runs, then end it; what it says is in a file there."""
    with (folder / f"{Path(command[0]).name}.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=_environment(environment), stdout=log, stderr=log, text=True
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            finally:
                process.kill()
                process.wait()


def _environment(more: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment without settings of whoever runs this, and with ``more``."""
    ours = {name: text for name, text in os.environ.items() if not name.startswith(("PREDSURV_", "AWS_"))}
    return {**ours, **more}


@contextmanager
def prometheus(folder: Path, targets: Sequence[str]) -> Iterator[Prometheus]:
    """Run a Prometheus in ``folder`` that scrapes the targets and evaluates the alerts, each second."""
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(ALERTS)],
        "scrape_configs": [{"job_name": "predsurv", "static_configs": [{"targets": list(targets)}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    address = f"127.0.0.1:{free_port()}"
    command = [required("prometheus"), "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb"]
    with running([*command, f"--web.listen-address={address}", "--log.level=warn"], folder):
        eventually(lambda: answers(f"http://{address}/-/ready"))
        yield Prometheus(f"http://{address}")


def answers(url: str) -> bool:
    """Return whether a URL answers with 200."""
    try:
        return httpx.get(url, trust_env=False, timeout=PATIENCE_S).status_code == 200
    except httpx.TransportError:
        return False


class Watched(NamedTuple):
    """A Prometheus that scrapes a collector and a trader, as they are called there; the folders of both."""

    server: Prometheus
    collector: str
    trader: str
    recording: Path
    trading: Path
    trader_process: "subprocess.Popen[str]"

    def command(self, *words: str) -> None:
        """Run a command of predsurv beside the trader."""
        subprocess.run([*PREDSURV, *words], cwd=self.trading, check=True, capture_output=True)

    def freeze(self) -> None:
        """Let the event loop of the collector stand still from now on."""
        os.mkfifo(self.recording / "freeze")

    def firing(self, alert: str, instance: str) -> bool:
        """Return whether an alert of a process is firing."""
        query = f'ALERTS{{alertname="{alert}", alertstate="firing", instance="{instance}"}}'
        return bool(self.server.ask("query", query=query)["result"])


@contextmanager
def watched(folder: Path, *, outage: str) -> Iterator[Watched]:
    """Run a collector with a bucket and a trader on the made-up venue, and a Prometheus that scrapes both each second.

    The collector loses its connection ``outage`` ("20s") after it began.
    """
    with ExitStack() as stack:
        store = stack.enter_context(object_store())
        store.empty()
        ports = free_port(), free_port()
        faults = json.dumps([f"drop@{outage}"])
        collector = COLLECTOR.format(bucket=BUCKET, endpoint=store.endpoint, port=ports[0], faults=faults)
        commands = {"collect": collector, "trade --paper": TRADER.format(port=ports[1])}
        programs = {"collect": (sys.executable, "-c", FREEZING), "trade --paper": PREDSURV}
        processes = []
        for command, configuration in commands.items():
            place = folder / command.split()[0]
            (place / "config").mkdir(parents=True)
            (place / "config" / "surveillance.toml").write_text(configuration)
            scan = [*PREDSURV, "scan"]
            subprocess.run(scan, cwd=place, env=_environment(_SECRETS), check=True, capture_output=True)
            processes.append(stack.enter_context(running([*programs[command], *command.split()], place, **_SECRETS)))
        for port in ports:
            eventually(lambda: answers(f"http://127.0.0.1:{port}/metrics"))  # noqa: B023 - called at once
        collecting, trading = (f"127.0.0.1:{port}" for port in ports)
        server = stack.enter_context(prometheus(folder, [collecting, trading]))
        yield Watched(server, collecting, trading, folder / "collect", folder / "trade", processes[1])
