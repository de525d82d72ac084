"""The files under ops/ parse, and dashboards and alerts ask only for metrics that exist."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest

from predsurv.cli.commands.trade_observers import observer_of
from predsurv.config import load
from predsurv.core.events import BookDelta
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import Price, Size
from predsurv.net.clock import ManualClock
from predsurv.ports import RequestLevel
from predsurv.telemetry.metrics import VENUES
from predsurv.telemetry.monitor import Monitor
from predsurv.telemetry.recording import UploadLevels, VenueLevels
from predsurv.telemetry.trading import PORTFOLIO_KINDS, TradingMetrics
from predsurv.venues.mock.venue import MockVenue
from tests.kit.dashboard import ALERTS, DASHBOARDS, OPS, TRADER, Query, alerts, panels, queries, selectors
from tests.kit.metric_labels import METRICS
from tests.kit.prometheus import required

_COMPOSE = OPS / "docker-compose.yml"
_RUNBOOK = OPS.parent / "docs" / "runbook.md"
_ALERTS_TEST = OPS / "alerts-test.yml"

_DATA_SOURCE = OPS / "grafana" / "provisioning" / "datasources" / "prometheus.yml"
_UNITS = {
    "short", "percentunit", "bool", "bool_yes_no", "s", "d", "bytes", "Bps", "eps", "rowsps", "cpm", "currencyUSD",
    "none",
}  # fmt: skip
"""Ids of Grafana's value formats; one that it does not know is shown as text behind the number."""

_HISTOGRAMS = frozenset({"predsurv_event_latency_seconds", "predsurv_seal_duration_seconds"})
_OF_A_SCRAPE = frozenset({"instance", "job"})
_PLATFORM = {"up": frozenset[str](), "process_start_time_seconds": frozenset[str]()} | dict.fromkeys(
    ("process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds", "process_max_fds"),
    frozenset[str](),
)


def series_of(metrics: set[str]) -> dict[str, str]:
    """Every series name a query may use, and the metric it belongs to."""
    plain = {metric: metric for metric in metrics - _HISTOGRAMS}
    parts = {f"{metric}_{part}": metric for metric in metrics & _HISTOGRAMS for part in ("bucket", "sum", "count")}
    return plain | parts


def complaints_about(query: str, legend: str) -> list[str]:
    """What is wrong with one query: an unknown series, or a label that its metric does not carry."""
    carried = METRICS | _PLATFORM
    known = series_of(set(carried))
    used = re.findall(r"\b(?:predsurv_\w+|process_\w+|up\b)", query)
    unknown = [f"unknown series {name}" for name in used if name not in known]
    allowed = {"le", *_OF_A_SCRAPE}.union(*(carried[known[name]] for name in used if name in known))
    grouped = {label.strip() for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", query) for label in group.split(",")}
    matched = set(re.findall(r"[{,]\s*(\w+)\s*(?:=~|!~|!=|=)", query))
    shown = set(re.findall(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}", legend))
    return unknown + [f"no label {label} on {used}" for label in sorted((grouped | matched | shown) - allowed)]


def test_every_yaml_file_parses() -> None:
    files = sorted(OPS.rglob("*.yml"))
    assert files
    for file in files:
        assert isinstance(yaml.safe_load(file.read_text()), dict), file.name


def test_dashboards_ask_only_for_what_there_is() -> None:
    assert [(each, found) for each in queries() if (found := complaints_about(each.expression, each.legend))] == []


def test_every_metric_has_a_panel() -> None:
    asked = {name for each in queries() for name in re.findall(r"\bpredsurv_\w+", each.expression)}
    known = series_of(set(METRICS))
    assert {known[name] for name in asked} == set(METRICS)


def test_every_panel_names_its_meaning_and_a_unit_that_grafana_has() -> None:
    assert [panel["title"] for panel in panels() if not panel["description"]] == []
    assert {panel["fieldConfig"]["defaults"].get("unit") for panel in panels()} <= _UNITS


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: path.stem)
def test_every_panel_asks_the_data_source_that_is_provisioned(dashboard: Path) -> None:
    (source,) = yaml.safe_load(_DATA_SOURCE.read_text())["datasources"]
    named = {"type": source["type"], "uid": source["uid"]}
    variables = json.loads(dashboard.read_text())["templating"]["list"]
    assert all(each["datasource"] == named for each in (*variables, *panels([dashboard])))
    for panel in panels([dashboard]):
        letters = [target["refId"] for target in panel["targets"]]
        assert len(letters) == len(set(letters)), panel["title"]
        assert all(target["datasource"] == named for target in panel["targets"]), panel["title"]


def test_every_legend_names_the_process_and_the_account() -> None:
    wanting = [each for each in queries() if "{{instance}}" not in each.legend]
    wanting += [each for each in queries() if "portfolio" in each.expression and "{{account}}" not in each.legend]
    assert wanting == []


def test_every_query_shows_the_chosen_processes_and_venues() -> None:
    for each in queries():
        for selector in selectors(each.expression):
            assert 'instance=~"$instance"' in selector, each
            name = series_of(set(METRICS | _PLATFORM))[selector.partition("{")[0]]
            assert ('venue=~"$venue"' in selector) == ("venue" in (METRICS | _PLATFORM)[name]), each


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: path.stem)
def test_panels_have_ids_and_places_of_their_own(dashboard: Path) -> None:
    shown = json.loads(dashboard.read_text())["panels"]
    assert len({panel["id"] for panel in shown}) == len({panel["title"] for panel in shown}) == len(shown)
    taken = set[tuple[int, int]]()
    for panel in shown:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_dashboards_are_told_apart() -> None:
    shown = [json.loads(dashboard.read_text()) for dashboard in DASHBOARDS]
    assert len({each["uid"] for each in shown}) == len({each["title"] for each in shown}) == len(DASHBOARDS)
    assert {path.name for path in TRADER.parent.iterdir()} == {path.name for path in DASHBOARDS}


def test_a_trader_exports_every_metric_of_its_dashboard(tmp_path: Path) -> None:
    """The names are those that the registry of a paper run has, made as the command makes it."""
    registry = CollectorRegistry()
    loaded = load(None, environ={}, flags={"data_dir": str(tmp_path), "mock.enabled": True})
    clock = ManualClock()
    observer_of(loaded.config, [MockVenue(loaded.config.mock, clock)], registry, clock)
    exported = {metric.name for metric in registry.collect()}
    exported |= {f"{metric.name}_total" for metric in registry.collect() if metric.type == "counter"}
    exported |= {
        f"{metric.name}_{part}"
        for metric in registry.collect()
        if metric.type == "histogram"
        for part in ("bucket", "sum", "count")
    }
    variables = json.loads(TRADER.read_text())["templating"]["list"]
    asked = [each.expression for each in queries([TRADER])] + [each["query"]["query"] for each in variables]
    names = {name for text in asked for name in re.findall(r"\b(?:predsurv|process)_\w+", text)}
    assert names - exported == set()
    own = {metric for metric in METRICS if metric.startswith(("predsurv_orders", "predsurv_portfolio"))}
    assert own <= names


@pytest.mark.parametrize(
    ("query", "legend"),
    [
        ("rate(predsurv_event_total[5m])", ""),
        ("predsurv_event_latency_seconds", ""),
        ("sum by (market) (predsurv_connections)", ""),
        ("predsurv_connections and on (market) up", ""),
        ('predsurv_connections{market="x"}', ""),
        ("predsurv_connections", "{{market}}"),
        ("process_memory", ""),
    ],
)
def test_a_wrong_query_is_noticed(query: str, legend: str) -> None:
    assert complaints_about(query, legend)


def test_grafanas_own_names_are_replaced() -> None:
    query = Query("", 'rate(x{instance=~"$instance", venue=~"$venue"}[$__rate_interval])', "")
    assert query.asked("5s") == 'rate(x{instance=~".*", venue=~".*"}[5s])'
    assert selectors('time() - up{a="b"} > 5 and on (job) predsurv_x offset 3h') == ['up{a="b"}', "predsurv_x"]


def test_alerts_ask_only_for_what_there_is() -> None:
    names = [rule["alert"] for rule in alerts()]
    assert len(names) == len(set(names)) > 20
    for rule in alerts():
        assert complaints_about(rule["expr"], rule["annotations"]["summary"]) == [], rule["alert"]


def test_every_alert_says_how_bad_how_long_where_and_what_to_do() -> None:
    headings = re.findall(r"^### (\w+)$", _RUNBOOK.read_text(), re.MULTILINE)
    for rule in alerts():
        assert rule["labels"]["severity"] in ("critical", "warning"), rule["alert"]
        assert re.fullmatch(r"\d+[smh]", rule["for"]), rule["alert"]
        assert rule["annotations"]["summary"].startswith("{{ $labels.instance }}"), rule["alert"]
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"
    assert headings == [rule["alert"] for rule in alerts()]


def test_the_runbook_names_only_alerts_and_metrics_that_exist() -> None:
    text = _RUNBOOK.read_text()
    assert set(re.findall(r"\bPredsurv\w+", text)) == {rule["alert"] for rule in alerts()}
    assert set(re.findall(r"#(predsurv\w+)", text)) <= {rule["alert"].lower() for rule in alerts()}
    described = json.dumps(panels())
    assert set(re.findall(r"\bPredsurv\w+", described)) <= {rule["alert"] for rule in alerts()}


def test_every_alert_is_seen_to_fire_and_to_be_silent() -> None:
    tests = yaml.safe_load(_ALERTS_TEST.read_text())["tests"]
    seen = {(check["alertname"], bool(check["exp_alerts"])) for test in tests for check in test["alert_rule_test"]}
    assert seen == {(rule["alert"], fires) for rule in alerts() for fires in (True, False)}


def test_images_are_pinned_and_nothing_listens_beyond_this_machine() -> None:
    services = yaml.safe_load(_COMPOSE.read_text())["services"]
    for name, service in services.items():
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), name
        assert service["network_mode"] == "host", name
        assert "ports" not in service, name
    assert "--web.listen-address=127.0.0.1:9090" in services["prometheus"]["command"]
    assert services["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    mounted = [volume.split(":")[0] for volume in services["prometheus"]["volumes"]]
    rules = yaml.safe_load((OPS / "prometheus.yml").read_text())["rule_files"]
    assert {"./prometheus.yml", *(f"./{name}" for name in rules)} <= set(mounted)


def _promtool(*arguments: str, text: str = "", folder: Path = OPS) -> str:
    command = [required("promtool"), *arguments]
    done = subprocess.run(command, cwd=folder, input=text, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_prometheus_accepts_its_configuration() -> None:
    _promtool("check", "config", "prometheus.yml")


@pytest.mark.slow
def test_the_alerts_fire_when_they_should_and_not_otherwise() -> None:
    _promtool("check", "rules", ALERTS.name)
    _promtool("test", "rules", _ALERTS_TEST.name)


def exposition() -> str:
    """Return what a collector and a trader show with every metric set."""
    monitor, registry = Monitor(VENUES), CollectorRegistry()
    trading = TradingMetrics(registry, signals={"simple": ["enter"]})
    monitor.metrics.set_pulse(1)
    key = InstrumentKey(VenueName("mock"), MarketId("m"), InstrumentId("i"))
    monitor.metrics.observe_batch("mock", [BookDelta(key, 2, 1, 1, None, "bid", Price(1), Size(1))])
    monitor.recording.begin(1, 1)
    monitor.recording.set_venue("mock", VenueLevels(wanted=2, trusted=1, last_data=1))
    monitor.recording.set_disk(1, paused=False)
    monitor.recording.set_uploads(UploadLevels())
    monitor.metrics.request_levels = lambda: [("mock", "reads", RequestLevel(1, 2, 0))]
    for kind in PORTFOLIO_KINDS:
        trading.set_portfolio(kind, 1)
    return generate_latest(monitor.registry).decode() + generate_latest(registry).decode()


def test_every_metric_is_shown_by_a_process_at_work() -> None:
    shown = set(re.findall(r"^(predsurv_\w+)", exposition(), re.MULTILINE))
    assert shown == set(series_of(set(METRICS)))


def test_promtool_has_nothing_to_say_about_the_metrics() -> None:
    assert _promtool("check", "metrics", text=exposition()) == ""
