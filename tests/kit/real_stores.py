"""Object stores of other people, started on loopback sockets where they are installed.

``make test-servers`` installs them into a folder of their own and names it in PREDSURV_TEST_SERVERS.
"""

import http.client
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.kit.object_store import object_store
from tests.kit.patience import PATIENCE_S

BUCKET: Final = "recordings"
MOTO: Final = "moto"
SEAWEEDFS: Final = "seaweedfs"
PYS3LOCAL: Final = "pys3local"
HONOURING: Final = (MOTO, SEAWEEDFS)
"""Those that honour conditional puts."""


@contextmanager
def real_store(name: str, folder: Path) -> Iterator[str]:
    """Run the store ``name`` while the block runs and return its endpoint, which has an empty bucket BUCKET.

    Skips the test where the store is not installed.
    """
    if name == MOTO:
        with object_store() as server:
            server.empty()
            yield server.endpoint
        return
    program = _program({SEAWEEDFS: "weed", PYS3LOCAL: "pys3local"}[name])
    if program is None:
        pytest.skip(f"{name} is not installed: 'make test-servers' does it")
    ports = _free_ports(8)
    command = _seaweedfs(folder, ports) if name == SEAWEEDFS else _pys3local(folder, ports[0])
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(folder)}
    with ExitStack() as stack, (folder / "log").open("wb") as log:
        stack.callback(_remove_sockets, ports)
        process = subprocess.Popen([program, *command], cwd=folder, env=environment, stdout=log, stderr=log)
        stack.callback(process.wait)
        stack.callback(process.kill)
        _make_bucket(ports[0], process)
        yield f"http://127.0.0.1:{ports[0]}"


def _program(name: str) -> str | None:
    return shutil.which(name, path=os.environ.get("PREDSURV_TEST_SERVERS", os.environ.get("PATH", "")))


def _seaweedfs(folder: Path, ports: list[int]) -> list[str]:
    names = [f"{part}.port{kind}" for part in ("s3", "master", "volume", "filer") for kind in ("", ".grpc")]
    (folder / "logs").mkdir()
    (folder / "data").mkdir()
    return [
        f"-logdir={folder / 'logs'}",
        "server",
        f"-dir={folder / 'data'}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-filer",
        "-s3",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        f"-filer.localSocket={folder / 'filer.sock'}",
        "-master.telemetry=false",
        "-master.volumeSizeLimitMB=64",
        "-volume.max=20",
        *(f"-{name}={port}" for name, port in zip(names, ports, strict=True)),
    ]


def _pys3local(folder: Path, port: int) -> list[str]:
    listen = f"127.0.0.1:{port}"
    return ["serve", "--path", str(folder / "data"), "--listen", listen, "--no-auth", "--allow-bucket-creation"]


def _make_bucket(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server takes a bucket."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        assert process.poll() is None, "the server has ended: see its log"
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("PUT", f"/{BUCKET}")
            if connection.getresponse().status == 200:
                return
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        assert time.monotonic() < deadline, "the server takes no bucket"
        time.sleep(0.05)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _remove_sockets(ports: list[int]) -> None:
    """Remove the sockets that SeaweedFS leaves in the folder for temporary files, named after its ports."""
    for port in ports:
        for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108
            path.unlink(missing_ok=True)
