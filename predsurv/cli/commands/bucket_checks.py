"""The check of ``predsurv doctor`` on the bucket: it answers, and it can be recorded to."""

import asyncio
from typing import Final

from predsurv.cli.commands.bucket import PROBE_SECONDS_MAX, bucket_of
from predsurv.cli.commands.checks import HealthCheck
from predsurv.config import Config
from predsurv.core.errors import ConfigError, SafetyError, TransientError
from predsurv.net.clock import SystemClock
from predsurv.store.remote.object_store import Bucket
from predsurv.store.remote.probe import StoreTraits, probe_store

_STEP_REACH: Final = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and [object_store]"
_STEP_WRITE: Final = "reading works; 'predsurv collect' has to put objects"
_STEP_STORE: Final = "'predsurv collect' refuses this store"


def bucket_check(config: Config, *, offline: bool) -> HealthCheck:
    """Check that the library is installed, the bucket answers, and never replaces an object when asked not to.

    The probe puts a small object and removes it.
    """
    try:
        bucket = bucket_of(config)
        if bucket is None or offline:
            return HealthCheck("bucket", "ok", f"{config.bucket} is not asked")
        return asyncio.run(_asked(bucket))
    except ConfigError as error:
        return HealthCheck("bucket", "fail", str(error), "install or correct that")


async def _asked(bucket: Bucket) -> HealthCheck:
    try:
        await bucket.folders("")
    except TransientError as error:
        return HealthCheck("bucket", "fail", str(error), _STEP_REACH)
    try:
        async with asyncio.timeout(PROBE_SECONDS_MAX):
            traits = await probe_store(bucket, f"doctor-{SystemClock().now()}")
    except SafetyError as error:
        return HealthCheck("bucket", "fail", str(error), _STEP_STORE)
    except (TransientError, TimeoutError) as error:
        reason = str(error) or f"{bucket.url} does not answer a put in time"
        return HealthCheck("bucket", "warn", reason, _STEP_WRITE)
    return _answer(bucket, traits)


def _answer(bucket: Bucket, traits: StoreTraits) -> HealthCheck:
    found = f"{bucket.url} answers and honours conditional puts"
    if not traits.keeps_digests:
        step = "it keeps no metadata: to compare an object, it is read whole"
        return HealthCheck("bucket", "warn", found, step)
    return HealthCheck("bucket", "ok", found if traits.deletes else f"{found}; nothing may be deleted")
