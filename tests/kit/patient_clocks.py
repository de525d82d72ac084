"""A venue's clock may be as wrong as it likes: on a busy machine that of a simulator falls behind the machine's."""

from typing import Final

import pytest

_PATIENT: Final = 3_600 * 10**9
_SKEWS: Final = (
    "predsurv.venues.polymarket.execution.login.SKEW_MAX",
    "predsurv.venues.kalshi.execution.session.SKEW_MAX",
)


def tolerate_wrong_clocks(patch: pytest.MonkeyPatch) -> None:
    """Accept any clock until ``patch`` is undone."""
    for name in _SKEWS:
        patch.setattr(name, _PATIENT)
