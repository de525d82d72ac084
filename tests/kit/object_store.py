"""An object store on a loopback socket that can be switched off and on again."""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager

from moto.server import ThreadedMotoServer

BUCKET = "recordings"


class ObjectStoreServer:
    """The server; it keeps what it holds while it is switched off."""

    def __init__(self) -> None:
        self._server = self._started(0)
        self.port = int(self._server.get_host_and_port()[1])
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def empty(self) -> None:
        """Forget everything and make the bucket anew."""
        self._ask("POST", "/moto-api/reset")
        self._ask("PUT", f"/{BUCKET}")

    def off(self) -> None:
        """Refuse connections from now on."""
        self._server.stop()

    def on(self) -> None:
        """Answer again, at the same address."""
        self._server = self._started(self.port)

    def _ask(self, method: str, path: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path)
        assert connection.getresponse().status == 200
        connection.close()

    @staticmethod
    def _started(port: int) -> ThreadedMotoServer:
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
        server.start()
        return server


@contextmanager
def object_store() -> Iterator[ObjectStoreServer]:
    """Run one while the block runs."""
    server = ObjectStoreServer()
    try:
        yield server
    finally:
        server.off()
