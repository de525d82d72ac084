"""The metrics server on loopback: answers GET, survives every client, never holds the program up."""

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from predsurv.core.errors import ConfigError
from predsurv.net.clock import ManualClock
from predsurv.telemetry.health import Health, RunHealth, VenueHealth, health_of_run
from predsurv.telemetry.recording import RecordingMetrics
from predsurv.telemetry.server import CLIENTS_MAX, MetricsServer, exposure
from predsurv.telemetry.vitals import Vitals
from tests.kit.patience import PATIENCE_S


class Program:
    """What the server is asked to show."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.recording = RecordingMetrics(self.registry)
        self.health: Health | None = health_of(RunHealth())

    def say(self) -> Health:
        if self.health is None:
            raise RuntimeError("broken")
        return self.health


def health_of(run: RunHealth) -> Health:
    vitals = Vitals(ManualClock())
    vitals.phase = "running"
    return health_of_run(vitals, run)


@pytest.fixture
def program() -> Program:
    return Program()


@pytest.fixture
def server(program: Program) -> Iterator[MetricsServer]:
    server = MetricsServer(program.registry, program.say, port=0)
    yield server
    server.close()


def ask(port: int, path: str, method: str = "GET", host: str | None = None) -> tuple[int, str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request(method, path, headers={"Host": host} if host else {})
        response = connection.getresponse()
        return response.status, response.getheader("Content-Type", ""), response.read().decode()
    finally:
        connection.close()


def test_metrics_are_shown(program: Program, server: MetricsServer) -> None:
    program.recording.set_queue_depth("records", 3)
    status, kind, body = ask(server.port, "/metrics?name=x")
    assert status == 200
    assert kind == "text/plain; version=0.0.4; charset=utf-8"
    assert 'predsurv_queue_depth{queue="records"} 3.0' in body
    assert server.warning is None


def test_health_decides_the_status(program: Program, server: MetricsServer) -> None:
    program.health = health_of(RunHealth(fields={"connections": 2}))
    status, kind, body = ask(server.port, "/healthz")
    assert (status, kind) == (200, "application/json")
    assert json.loads(body)["connections"] == 2
    program.health = health_of(RunHealth(causes=["the disk is full"], fields={"why": object}))
    status, _, body = ask(server.port, "/healthz")
    assert status == 503
    assert json.loads(body)["causes"] == ["the disk is full"]
    assert ask(server.port, "/livez")[0] == 200


def test_a_run_that_makes_no_progress_is_not_alive(program: Program, server: MetricsServer) -> None:
    program.health = health_of(RunHealth(stuck="a write does not return"))
    assert [ask(server.port, path)[0] for path in ("/healthz", "/livez")] == [503, 503]


def test_people_read_a_line_per_venue(program: Program, server: MetricsServer) -> None:
    venues = (VenueHealth(venue="kalshi", causes=["blind"]), VenueHealth(venue="mock", line="mock recording"))
    program.health = health_of(RunHealth(venues=venues, warnings=["little disk"]))
    assert ask(server.port, "/healthz?text") == (
        503,
        "text/plain; charset=utf-8",
        "NOT OK: kalshi: blind (warning: little disk)\nkalshi: blind\nmock: mock recording\n",
    )


def test_a_broken_health_check_only_loses_its_own_request(program: Program, server: MetricsServer) -> None:
    program.health = None
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        ask(server.port, "/healthz")
    assert ask(server.port, "/metrics")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "TRACE", "OPTIONS", "NONSENSE<script>"])
def test_only_get_is_answered(server: MetricsServer, method: str) -> None:
    status, kind, body = ask(server.port, "/metrics", method)
    assert (status, kind) == (405, "text/plain")
    assert "script" not in body


@pytest.mark.parametrize("path", ["/", "/../etc/passwd", "/metrics/x", "/debug"])
def test_other_paths_are_not_found(server: MetricsServer, path: str) -> None:
    status, _, body = ask(server.port, path)
    assert status == 404
    assert "passwd" not in body


@pytest.mark.parametrize(
    ("host", "status"), [("evil.com", 403), ("127.0.0.1:1", 200), ("localhost", 200), ("[::1]:9", 200), ("", 200)]
)
def test_a_request_for_another_host_name_is_refused(server: MetricsServer, host: str, status: int) -> None:
    assert ask(server.port, "/metrics", host=host)[0] == status


def test_a_busy_port_is_explained(server: MetricsServer, program: Program) -> None:
    with pytest.raises(ConfigError) as caught:
        MetricsServer(program.registry, program.say, port=server.port)
    expected = f"metrics are off: cannot listen on 127.0.0.1 port {server.port}: Address already in use"
    assert str(caught.value) == f"{expected}; set another metrics.port, or stop what uses it"


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70_000), ("203.0.113.1", 0)])
def test_an_impossible_address_is_explained(program: Program, host: str, port: int) -> None:
    with pytest.raises(ConfigError, match=r"^metrics are off: cannot listen on [^\n]*$"):
        MetricsServer(program.registry, program.say, host=host, port=port)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "box.local", ""])  # noqa: S104
def test_the_server_warns_of_an_address_that_others_can_reach(host: str) -> None:
    warning = exposure(host, 9000)
    assert warning is not None
    assert 'set metrics.host = "127.0.0.1"' in warning


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "LOCALHOST"])
def test_the_server_does_not_warn_of_loopback(host: str) -> None:
    assert exposure(host, 9000) is None


def test_ipv6_loopback_works_where_there_is_one(program: Program) -> None:
    try:
        server = MetricsServer(program.registry, program.say, host="::1", port=0)
    except ConfigError:
        pytest.skip("no IPv6 here")
    assert server.warning is None
    server.close()


def test_stuck_clients_delay_neither_others_nor_closing(server: MetricsServer) -> None:
    stuck = []
    for _ in range(CLIENTS_MAX - 1):
        client = socket.create_connection(("127.0.0.1", server.port))
        client.sendall(b"GET /metrics HTT")
        stuck.append(client)
    assert ask(server.port, "/metrics")[0] == 200
    started = time.monotonic()
    server.close()
    server.close()
    assert time.monotonic() - started < 2
    for client in stuck:
        client.close()


def test_clients_beyond_the_maximum_are_turned_away(server: MetricsServer) -> None:
    clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(CLIENTS_MAX + 4)]
    clients[-1].settimeout(PATIENCE_S)
    assert clients[-1].recv(1) == b""
    for client in clients:
        client.close()


def test_a_running_server_does_not_keep_the_program_alive() -> None:
    code = (
        "from prometheus_client import CollectorRegistry\n"
        "from predsurv.telemetry.server import MetricsServer\n"
        "import socket\n"
        "server = MetricsServer(CollectorRegistry(), dict, port=0)\n"
        "client = socket.create_connection(('127.0.0.1', server.port))\n"
        "client.sendall(b'GET')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
