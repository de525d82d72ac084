"""Each error names the exit code that the command line documents."""

import pytest

from predsurv.core import errors


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.ConfigError, 2),
        (errors.TransientError, 3),
        (errors.RateLimited, 3),
        (errors.PermanentError, 3),
        (errors.AmbiguousError, 3),
        (errors.WireError, 3),
        (errors.IntegrityError, 4),
        (errors.SafetyError, 5),
        (errors.BrokenInvariant, 1),
    ],
)
def test_exit_codes(kind: type[errors.PredsurvError], code: int) -> None:
    assert kind("what, where, next step").exit_code == code


def test_the_venues_own_waiting_time_is_kept() -> None:
    assert errors.RateLimited("slow down", retry_after_ns=5).retry_after_ns == 5
