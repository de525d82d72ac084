"""What every test gets: a clean environment, no way out to the network, and the recorded payloads."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

pytest.register_assert_rewrite("tests.kit", "tests.contract")  # before anything of them is imported

from tests.kit.disk import Disk  # noqa: E402
from tests.kit.network_guard import forbid_network  # noqa: E402

_ROOT = Path(__file__).resolve().parent.parent
_PAYLOADS = Path(os.environ.get("PREDSURV_PAYLOADS", _ROOT.parent / "shared" / "payloads"))

# A shared machine is slow now and then, which is no finding; in CI a failure has to be the same failure twice.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [
        name for name in os.environ if name.startswith(("PREDSURV_", "AWS_")) and name != "PREDSURV_PURE_PYTHON"
    ]:
        monkeypatch.delenv(name)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@pytest.fixture(autouse=True)
def _no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("live"):
        return
    forbid_network(monkeypatch)


@pytest.fixture(scope="session")
def payloads() -> Path:
    """The folder of recorded venue payloads; tests that need it are skipped where it is absent."""
    if not _PAYLOADS.is_dir():
        pytest.skip(f"no recorded payloads at {_PAYLOADS}: set PREDSURV_PAYLOADS to the folder that has them")
    return _PAYLOADS
