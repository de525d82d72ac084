"""A file of compressed, checksummed chunks of msgpack objects, written by a thread of its own.

A run's events are written here while it trades: neither compressing nor a slow disk may hold a decision up.
"""

import struct
import zlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import msgspec

from predsurv.core.errors import IntegrityError

CHUNK_OBJECTS: Final = 256
"""Objects of a chunk, unless it is ended earlier."""
WAITING_CHUNKS_MAX: Final = 64
"""Most chunks that wait for the disk; then nothing more is written."""
FILE_BYTES_MAX: Final = 4 << 30
"""Most bytes of a file; then nothing more is written."""

_MAGIC: Final = b"predsurv-run-1\n"
_HEADER: Final = struct.Struct("<II")  # length and CRC-32 of the compressed bytes
_CHUNK_BYTES_MAX: Final = 1 << 28
_LEVEL: Final = 1


class FrameWriter:
    """Writes objects to ``path``, a chunk at a time; ``lost`` says why nothing is written any more, "" while all is.

    ``close`` returns the digest of what was written.
    """

    def __init__(self, path: Path, bytes_max: int = FILE_BYTES_MAX) -> None:
        self.lost = ""
        self._bytes_max = bytes_max
        self._file = path.open("wb")
        self._file.write(_MAGIC)
        self._written = len(_MAGIC)
        self._digest = blake2b(digest_size=32)
        self._objects: list[Any] = []
        self._encoder = msgspec.msgpack.Encoder()
        self._thread = ThreadPoolExecutor(1, "run-events")
        self._waiting: list[Future[None]] = []

    def append(self, item: Any) -> None:
        """Add an object; it is in the file after the chunk that it belongs to was written."""
        self._objects.append(item)
        if len(self._objects) >= CHUNK_OBJECTS:
            self.end_chunk()

    def end_chunk(self) -> None:
        """Hand the objects so far to the thread that writes."""
        objects, self._objects = self._objects, []
        self._waiting = [each for each in self._waiting if not each.done()]
        if len(self._waiting) >= WAITING_CHUNKS_MAX:
            self.lost = self.lost or "the disk did not keep up"
        if objects and not self.lost:
            self._waiting.append(self._thread.submit(self._write, objects))

    def close(self) -> str:
        """Write what is left and return the BLAKE2b-256 of all chunks, in hex; safe to call twice."""
        self.end_chunk()
        self._thread.shutdown()
        self._file.close()
        return self._digest.hexdigest()

    def _write(self, objects: list[Any]) -> None:
        body = zlib.compress(self._encoder.encode(objects), _LEVEL)
        if self._written + len(body) > self._bytes_max:
            self.lost = f"it is longer than {self._bytes_max >> 20} MiB"
        if self.lost:
            return
        try:
            self._file.write(_HEADER.pack(len(body), zlib.crc32(body)) + body)
            self._file.flush()
        except OSError as error:
            self.lost = f"it could not be written: {error.strerror}"
            return
        self._digest.update(body)
        self._written += _HEADER.size + len(body)


def read_frames(path: Path, item: Any) -> Iterator[Any]:
    """Yield the objects of ``path``, decoded as ``item``; a chunk torn by a kill ends them.

    Raises IntegrityError for a file that is not one of these, or damaged before its end.
    """
    decoder = msgspec.msgpack.Decoder(list[item])
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise IntegrityError(f"{path}: no recording of a run that this version can read")
        while len(header := file.read(_HEADER.size)) == _HEADER.size:
            length, checksum = _HEADER.unpack(header)
            body = file.read(length) if length <= _CHUNK_BYTES_MAX else b""
            if len(body) < length <= _CHUNK_BYTES_MAX:
                return
            if zlib.crc32(body) != checksum:
                raise IntegrityError(f"{path}: damaged: a chunk does not match its checksum")
            try:
                yield from decoder.decode(zlib.decompress(body))
            except (msgspec.MsgspecError, zlib.error) as error:
                raise IntegrityError(f"{path}: damaged: {error}") from None
