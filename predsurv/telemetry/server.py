"""HTTP server of GET /metrics, /healthz and /livez, in threads of its own.

A slow or stuck client cannot hold up recording or trading: clients are bounded in number and time.
"""

import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from socket import AF_INET, AF_INET6
from typing import Any, Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from predsurv.core.errors import ConfigError
from predsurv.core.text import sanitise
from predsurv.telemetry.health import AskHealth

CLIENTS_MAX: Final = 16
CLIENT_SECONDS_MAX: Final = 5


class MetricsServer:
    """A running server. ``port`` is the one it listens on, ``warning`` a message about its address or None."""

    def __init__(
        self, registry: CollectorRegistry, health: AskHealth, *, host: str = "127.0.0.1", port: int = 9000
    ) -> None:
        """Start listening; raises ConfigError when that is not possible (callers go on without metrics)."""
        try:
            self._server = _BoundedServer(registry, health, host, port)
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            raise ConfigError(
                f"metrics are off: cannot listen on {sanitise(host, 80)} port {port}: {reason or error}; "
                "set another metrics.port, or stop what uses it"
            ) from None
        self.port: int = self._server.server_address[1]
        self.warning = exposure(host, self.port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening without waiting for clients. Safe to call twice."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(1)
        self._server.server_close()


class _BoundedServer(ThreadingHTTPServer):
    """A threading server that drops connections beyond CLIENTS_MAX at a time."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = CLIENTS_MAX

    def __init__(self, registry: CollectorRegistry, health: AskHealth, host: str, port: int) -> None:
        self.address_family = AF_INET6 if ":" in host else AF_INET
        self.registry = registry
        self.health = health
        self.local_only = _is_loopback(host)
        self._client_slots = threading.BoundedSemaphore(CLIENTS_MAX)
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        # HTTPServer.server_bind would resolve the name of this host, which may take seconds.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "predsurv", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._client_slots.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._client_slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log nothing: clients hang up at any time. After an error of the health check the client gets no answer."""


class _Handler(BaseHTTPRequestHandler):
    server: _BoundedServer
    timeout = CLIENT_SECONDS_MAX
    server_version = "predsurv"
    sys_version = ""

    def do_GET(self) -> None:
        if self.server.local_only and not _is_loopback(_host_of(self.headers.get("Host", "localhost"))):
            # DNS rebinding: a web page whose host name resolves to this machine must not read metrics.
            self._answer(403, "text/plain", b"ask by the name of this machine: localhost or 127.0.0.1\n")
            return
        path, _, query = self.path.partition("?")
        if path == "/metrics":
            self._answer(200, CONTENT_TYPE_PLAIN_0_0_4, generate_latest(self.server.registry))
        elif path in ("/healthz", "/livez"):
            self._answer_health(path, as_text="text" in query.split("&"))
        else:
            self._answer(404, "text/plain", b"there are /metrics, /healthz and /livez\n")

    def _answer_health(self, path: str, *, as_text: bool) -> None:
        health = self.server.health()
        status = 200 if (health.ok if path == "/healthz" else health.alive) else 503
        if as_text:
            self._answer(status, "text/plain; charset=utf-8", health.text().encode())
        else:
            self._answer(status, "application/json", json.dumps(health.body(), indent=1, default=str).encode() + b"\n")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Answer a bad or non-GET request without echoing any of it."""
        self.close_connection = True
        self._answer(405 if code == 501 else code, "text/plain", b"only GET of /metrics, /healthz and /livez\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: requests come every few seconds."""

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _host_of(header: str) -> str:
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0]


def exposure(host: str, port: int) -> str | None:
    """Return a warning for an address that other machines can reach, None for a loopback address."""
    if _is_loopback(host):
        return None
    return (
        f"metrics and health on {sanitise(host, 80)} port {port} can be read by anyone who reaches this "
        'machine; set metrics.host = "127.0.0.1" unless that is meant'
    )
