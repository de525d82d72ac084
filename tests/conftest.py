"""What every test gets: a clean environment, no way out to the network, and venue payloads."""

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

pytest.register_assert_rewrite("tests.kit", "tests.contract")  # before anything of them is imported

from tests.kit.disk import Disk  # noqa: E402
from tests.kit.left_behind import changed, constants  # noqa: E402
from tests.kit.network_guard import forbid_network  # noqa: E402
from tests.kit.payloads import MISSING, RECORDED, SOURCES, Payloads, available, required  # noqa: E402

_CI = bool(os.environ.get("CI"))

# Under nohup, or in the background of a shell, these are ignored, and so they are by every program that a test starts.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

# A shared machine is slow now and then, which is no finding; in CI a failure has to be the same failure twice.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.register_profile("fast", deadline=None, max_examples=20)
settings.load_profile("ci" if _CI else "local")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [
        name for name in os.environ if name.startswith(("PREDSURV_", "AWS_")) and name != "PREDSURV_PURE_PYTHON"
    ]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="module", autouse=True)
def _constants_as_they_were() -> Iterator[None]:
    before = constants()
    yield
    left = changed(before, constants())
    assert not left, f"changed and not put back (use monkeypatch): {', '.join(left)}"


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@pytest.fixture(autouse=True)
def _no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("live"):
        return
    forbid_network(monkeypatch)


@pytest.fixture(params=SOURCES, ids=[source.name for source in SOURCES])
def payloads(request: pytest.FixtureRequest) -> Payloads:
    """The own payloads, then the recorded ones; where those are absent, that half of the tests is skipped."""
    source: Payloads = request.param
    return required(source)


def pytest_configure() -> None:
    """Refuse to run in CI without the recorded payloads: skipped tests would pass for proofs there."""
    if _CI and RECORDED not in available():
        raise pytest.UsageError(f"CI is set and there are {MISSING}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once how many tests the missing recordings cost, also where workers ran them."""
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if MISSING in str(report.longrepr)]
    if skipped:
        terminalreporter.write_line(f"{len(skipped)} tests skipped: {MISSING}")
