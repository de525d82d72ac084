#!/bin/sh
# httpcore 1.0.9 (below httpx 0.28.1) tries to import sniffio four times at every asynchronous request, and anyio 4.16 no
# longer brings sniffio along: where nothing else installs it, each request searches the whole import path in vain.
#
# What one would expect: after the first failure the answer is known, and a request costs no imports. Python remembers
# modules that were found and never those that were not, so a client that sends thousands of small requests pays for a
# walk over sys.path each time (0.4 ms of CPU of 3.0 ms were seen in a client that sends one page a request). Installing
# sniffio, which nothing asks for by name any more, ends it.
#
# Seen, one client, one kept connection, requests in turn:
#   without sniffio: 205 searches of the import path for sniffio in 50 requests
#   with sniffio: 1 searches of the import path for sniffio in 50 requests
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "httpx==0.28.1" "httpcore==1.0.9" "anyio==4.16.0" "h11==0.16.0" 2>/dev/null
cat > "$folder/searches.py" <<'PYTHON'
import asyncio
import sys
from importlib.util import find_spec

import httpx

REQUESTS = 50
has_sniffio = find_spec("sniffio") is not None
searches = []


class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "sniffio":
            searches.append(name)


class Answers(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


async def main():
    server = await asyncio.get_running_loop().create_server(Answers, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(REQUESTS):
            assert (await client.get(f"http://127.0.0.1:{port}/")).text == "ok"
    server.close()


sys.meta_path.insert(0, Watch())
asyncio.run(main())
print(f"{'with' if has_sniffio else 'without'} sniffio: {len(searches)} searches of the import path in {REQUESTS} requests")
assert len(searches) == 1 if has_sniffio else len(searches) >= 4 * REQUESTS
PYTHON
"$folder/venv/bin/python" "$folder/searches.py"
"$folder/venv/bin/pip" install --quiet "sniffio==1.3.1" 2>/dev/null
"$folder/venv/bin/python" "$folder/searches.py"
