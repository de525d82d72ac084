"""The account has nothing to do with the readers of the market channel: one run is enough."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def _readers() -> None:
    """Replace the fixture of the adapter that runs each test once per set of readers."""
