"""A real Prometheus that scraped a real collector and a real trader has an answer to every panel and every alert."""

from collections.abc import Iterator

import pytest

from tests.kit.dashboard import alerts, queries_of_made_up, selectors
from tests.kit.patience import eventually
from tests.kit.prometheus import Prometheus, Watched, required, watched

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    required("prometheus")
    with watched(tmp_path_factory.mktemp("watched"), outage="15s") as scene:
        yield scene


@pytest.fixture
def server(scene: Watched) -> Prometheus:
    return scene.server


def test_no_panel_is_empty(server: Prometheus) -> None:
    """Every curve has had a number at some time, with a rate over as little time as it takes."""
    waiting = {(query.panel, query.legend): query.asked("15s") for query in queries_of_made_up()}

    def all_answered() -> bool:
        for name, expression in list(waiting.items()):
            if any(server.numbers(expression).values()):
                del waiting[name]
        return not waiting

    try:
        eventually(all_answered)
    finally:
        assert not waiting, f"these are empty: {waiting}"


def test_every_alert_looks_at_something(server: Prometheus) -> None:
    wanted = {(rule["alert"], selector) for rule in alerts() for selector in selectors(rule["expr"])}
    assert len(wanted) > len(alerts())
    missing: list[tuple[str, str]] = []

    def all_there() -> bool:
        missing[:] = [(alert, each) for alert, each in wanted if not server.ask("query", query=each)["result"]]
        return not missing

    try:
        eventually(all_there)
    finally:
        assert not missing, f"these select nothing: {missing}"


def test_prometheus_evaluates_every_alert(server: Prometheus) -> None:
    def rules() -> list[dict[str, str]]:
        (group,) = server.ask("rules")["groups"]
        return list(group["rules"])

    eventually(lambda: all(rule["health"] != "unknown" for rule in rules()))
    assert [rule["name"] for rule in rules()] == [rule["alert"] for rule in alerts()]
    assert {rule["name"]: rule.get("lastError") for rule in rules() if rule["health"] != "ok"} == {}


def test_the_first_outage_fires(scene: Watched) -> None:
    eventually(lambda: scene.firing("PredsurvGaps", scene.collector))


def test_a_halt_fires_and_its_end_is_seen(scene: Watched) -> None:
    assert not scene.firing("PredsurvHalted", scene.trader)
    scene.command("halt")
    eventually(lambda: scene.firing("PredsurvHalted", scene.trader))
    scene.command("resume")
    eventually(lambda: not scene.firing("PredsurvHalted", scene.trader))


def test_a_loop_that_stands_still_fires(scene: Watched) -> None:
    """The last test: the collector does not go on."""
    assert not scene.firing("PredsurvFrozen", scene.collector)
    scene.freeze()
    eventually(lambda: scene.firing("PredsurvFrozen", scene.collector))
    assert not scene.firing("PredsurvDown", scene.collector), "it is scraped all the time"
