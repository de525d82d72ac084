"""A small S3 server on a loopback socket that misbehaves as it is told, in each way in which a store may."""

import hashlib
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

BUCKET: Final = "recordings"
_MODIFIED: Final = "2027-01-15T08:00:00.000Z"
_KEPT: Final = "x-amz-meta-"


class StoredContent(NamedTuple):
    """What the store holds under one name; ``etag`` is told in listings and answers."""

    content: bytes
    metadata: dict[str, str]
    etag: str


class ScriptedStore:
    """The store; change its attributes at any time.

    ``conditions``: whether If-None-Match is honoured; ``condition_status``: what a put with it is answered with
    instead. ``metadata``, ``etags``: whether these are kept. ``unlisted``, ``phantoms``: names that listings lack, or
    have though they are gone. ``failing``: how many of the next requests are answered 503. ``forbidden``: methods that
    are answered 403. ``asked``: method and name of every request.
    """

    def __init__(self) -> None:
        self.objects: dict[str, StoredContent] = {}
        self.conditions = True
        self.condition_status: int | None = None
        self.metadata = True
        self.etags = True
        self.unlisted: set[str] = set()
        self.phantoms: dict[str, StoredContent] = {}
        self.failing = 0
        self.forbidden: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self.lock = threading.Lock()
        self.endpoint = ""

    def names(self, folder: str = "") -> list[str]:
        """Return the names of the objects in ``folder``, sorted."""
        return sorted(name for name in self.objects if name.startswith(folder))

    def lose(self, name: str) -> StoredContent:
        """Remove an object, as somebody behind the recorder would."""
        return self.objects.pop(name)

    def change(self, name: str, content: bytes, *, digest: str | None = None) -> None:
        """Replace the content of an object and nothing else, or its stated digest too."""
        metadata = dict(self.objects[name].metadata)
        if digest is not None:
            metadata[f"{_KEPT}blake2b"] = digest
        self.objects[name] = StoredContent(content, metadata, hashlib.md5(content, usedforsecurity=False).hexdigest())

    def put(self, name: str, content: bytes, metadata: dict[str, str]) -> str:
        """Store an object and return its etag."""
        etag = hashlib.md5(content, usedforsecurity=False).hexdigest() if self.etags else "0" * 31 + "1-1"
        self.objects[name] = StoredContent(content, metadata if self.metadata else {}, etag)
        return etag

    def count(self, method: str) -> int:
        """Return how many requests of ``method`` there were."""
        return sum(each == method for each, _ in self.asked)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store: ScriptedStore

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        name = self._begin()
        if name is None:
            return
        condition = self.headers.get("if-none-match") is not None
        if condition and self.store.condition_status is not None:
            self._answer(self.store.condition_status)
            return
        metadata = {key.lower(): value for key, value in self.headers.items() if key.lower().startswith(_KEPT)}
        with self.store.lock:  # of puts that arrive together one is the first
            refused = condition and self.store.conditions and name in self.store.objects
            etag = "" if refused else self.store.put(name, content, metadata)
        if refused:
            self._answer(HTTPStatus.PRECONDITION_FAILED)
        else:
            self._answer(HTTPStatus.OK, {"etag": f'"{etag}"'})

    def do_DELETE(self) -> None:
        name = self._begin()
        if name is not None:
            self.store.objects.pop(name, None)
            self._answer(HTTPStatus.NO_CONTENT)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        name = self._begin()
        if name is None:
            return
        if "list-type=2" in self.path:
            self._list()
        elif name not in self.store.objects:
            self._answer(HTTPStatus.NOT_FOUND)
        else:
            content, metadata, etag = self.store.objects[name]
            headers = {**metadata, "etag": f'"{etag}"', "last-modified": "Fri, 15 Jan 2027 08:00:00 GMT"}
            self._answer(HTTPStatus.OK, headers, content)

    def _begin(self) -> str | None:
        """Return the name of the object that is asked for, None when the request is answered already."""
        name = unquote(urlsplit(self.path).path).removeprefix(f"/{BUCKET}").removeprefix("/")
        self.store.asked.append((self.command, name))
        with self.store.lock:
            failing, self.store.failing = self.store.failing, max(self.store.failing - 1, 0)
        if failing:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE)
        elif self.command in self.store.forbidden:
            self._answer(HTTPStatus.FORBIDDEN)
        else:
            return name
        return None

    def _list(self) -> None:
        query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        prefix, delimiter, after = (query.get(key, "") for key in ("prefix", "delimiter", "start-after"))
        shown = {**self.store.objects, **self.store.phantoms}
        names = [n for n in sorted(shown) if n.startswith(prefix) and n > after and n not in self.store.unlisted]
        folders = {n[: n.index("/", len(prefix)) + 1] for n in names if delimiter and "/" in n[len(prefix) :]}
        body = "".join(f"<CommonPrefixes><Prefix>{escape(n)}</Prefix></CommonPrefixes>" for n in sorted(folders))
        for name in names:
            if not (delimiter and "/" in name[len(prefix) :]):
                content, _, etag = shown[name]
                body += (
                    f"<Contents><Key>{escape(name)}</Key><LastModified>{_MODIFIED}</LastModified>"
                    f"<ETag>&quot;{etag}&quot;</ETag><Size>{len(content)}</Size></Contents>"
                )
        page = f"<ListBucketResult><IsTruncated>false</IsTruncated>{body}</ListBucketResult>"
        self._answer(HTTPStatus.OK, {}, page.encode())

    def _answer(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def scripted_store() -> Iterator[ScriptedStore]:
    """Run one while the block runs."""
    store = ScriptedStore()
    handler = type("Handler", (_Handler,), {"store": store})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    store.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield store
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
