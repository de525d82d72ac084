"""The kinds of value that say where recordings are kept: a folder, or a bucket and how it is reached.

Kept apart from the other kinds because these rules are about where data and credentials may go.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from predsurv.config.hosts import clean_url, is_loopback
from predsurv.config.kinds import Folder, Texts, plain_text

_REGION = re.compile(r"[a-z0-9-]{0,40}\Z", re.ASCII)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/", re.ASCII)
_BUCKET = re.compile(
    r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]((?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9!_.*'()=-]+)*)/?\Z", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Place(Texts):
    """A folder, or the bucket of an object store: the one a Path, the other its URL without a slash at the end."""

    expected: str = 'a path to a folder, or a bucket such as "s3://bucket/prefix"'

    def parse(self, raw: object) -> Path | str:
        if isinstance(raw, Path) or not _SCHEME.match(plain_text(raw, 4096)):
            return Folder().parse(raw)
        text = plain_text(raw)
        if not _BUCKET.match(text):
            raise ValueError("not a bucket")
        return text.rstrip("/")


@dataclass(frozen=True, slots=True)
class Endpoint(Texts):
    """Where an object store answers, or nothing; unencrypted on this machine only."""

    expected: str = 'a URL that starts with "https://" ("http://" on this machine only), without user, or "" for none'

    def parse(self, raw: object) -> str:
        text = plain_text(raw)
        if not text:
            return text
        url = clean_url(text)
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
            raise ValueError("not an address that may be used")
        return url


@dataclass(frozen=True, slots=True)
class Region(Texts):
    """The region of a bucket, or nothing."""

    expected: str = 'a region such as "eu-central-1", or "" for none'

    def parse(self, raw: object) -> str:
        text = plain_text(raw)
        if not _REGION.match(text):
            raise ValueError("not a region")
        return text
