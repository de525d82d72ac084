"""Alerts reach commands and webhooks, and what does not is told."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from predsurv.cli.notify import check_target, deliver
from predsurv.core.errors import ConfigError, TransientError


class Hook(BaseHTTPRequestHandler):
    """Keeps what was posted; answers by the path."""

    posted: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.posted.append((self.headers["Content-Type"], body))
        self.send_response(302 if self.path == "/elsewhere" else 500 if self.path == "/broken" else 204)
        if self.path == "/elsewhere":
            self.send_header("Location", "/here")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    Hook.posted = []
    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_command_gets_it_on_its_stdin(tmp_path: Path) -> None:
    deliver(f"tee '{tmp_path / 'got it'}'", b'{"kind":"disk_low"}')
    assert (tmp_path / "got it").read_bytes() == b'{"kind":"disk_low"}\n'


def test_a_webhook_gets_it_once(url: str) -> None:
    deliver(f"{url}/hook", b"{}")
    assert Hook.posted == [("application/json", b"{}")]


def test_nothing_is_sent_on_to_where_a_webhook_points(url: str) -> None:
    with pytest.raises(TransientError, match="302"):
        deliver(f"{url}/elsewhere", b"{}")
    assert len(Hook.posted) == 1


@pytest.mark.parametrize(("target", "says"), [("false", "exit code 1"), ("/no/such/program", "No such file")])
def test_a_command_that_fails_is_told(target: str, says: str) -> None:
    with pytest.raises(TransientError, match=says):
        deliver(target, b"{}")


def test_a_webhook_that_fails_is_told(url: str) -> None:
    with pytest.raises(TransientError, match="500"):
        deliver(f"{url}/broken", b"{}")


@pytest.mark.parametrize("target", ["", "  ", "say 'it", "http://example.org/hook"])
def test_what_cannot_be_used_is_refused_at_the_start(target: str) -> None:
    with pytest.raises(ConfigError, match="--notify"):
        check_target(target)


@pytest.mark.parametrize("target", ["mail -s alert me", "https://example.org/hook", "http://localhost:1/x"])
def test_commands_and_safe_urls_are_accepted(target: str) -> None:
    check_target(target)
