"""What ``doctor`` says of a bucket: not asked, out of reach, unfit, slow, without metadata, nothing may be deleted."""

from typing import Any

import pytest

from predsurv.cli.commands import bucket_checks
from predsurv.config import Config
from predsurv.core.errors import ConfigError, SafetyError, TransientError
from predsurv.store.remote.probe import StoreTraits

URL = "s3://recordings/field"


class AnsweringBucket:
    """Stands in for a bucket; ``error`` is raised when it is asked what it holds."""

    url = URL

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    async def folders(self, prefix: str) -> list[str]:
        if self._error is not None:
            raise self._error
        return [prefix]


def checked(monkeypatch: pytest.MonkeyPatch, bucket: object, probed: object, *, offline: bool = False) -> Any:
    def opened(_: Config) -> object:
        if isinstance(bucket, Exception):
            raise bucket
        return bucket

    async def probe(_: object, _name: str) -> StoreTraits:
        if isinstance(probed, Exception):
            raise probed
        assert isinstance(probed, StoreTraits)
        return probed

    monkeypatch.setattr(bucket_checks, "bucket_of", opened)
    monkeypatch.setattr(bucket_checks, "probe_store", probe)
    return bucket_checks.bucket_check(Config(data_location=URL), offline=offline)


@pytest.mark.parametrize(
    ("bucket", "probed", "status", "found"),
    [
        (AnsweringBucket(), StoreTraits(keeps_digests=True, deletes=True), "ok", "honours conditional puts"),
        (AnsweringBucket(), StoreTraits(keeps_digests=True, deletes=False), "ok", "nothing may be deleted"),
        (AnsweringBucket(), StoreTraits(keeps_digests=False, deletes=True), "warn", "honours conditional puts"),
        (AnsweringBucket(), SafetyError("it replaces objects"), "fail", "it replaces objects"),
        (AnsweringBucket(), TransientError("403"), "warn", "403"),
        (AnsweringBucket(), TimeoutError(), "warn", "does not answer a put in time"),
        (AnsweringBucket(TransientError("refused")), None, "fail", "refused"),
        (ConfigError("a library is missing"), None, "fail", "a library is missing"),
    ],
)
def test_what_a_bucket_answers_is_told(
    monkeypatch: pytest.MonkeyPatch, bucket: object, probed: object, status: str, found: str
) -> None:
    told = checked(monkeypatch, bucket, probed)
    assert (told.state, told.name) == (status, "bucket")
    assert found in told.found
    assert told.step or status == "ok"


def test_offline_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    told = checked(monkeypatch, AnsweringBucket(TransientError("asked")), None, offline=True)
    assert told.state == "ok"
    assert told.found == f"{URL} is not asked"
