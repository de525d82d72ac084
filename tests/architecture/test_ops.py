"""The files under ops/ parse, and the dashboard asks only for metrics that exist."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kit.metric_labels import METRICS

_OPS = Path(__file__).resolve().parents[2] / "ops"
_DASHBOARD = _OPS / "grafana" / "dashboards" / "predsurv.json"
_COMPOSE = _OPS / "docker-compose.yml"

_HISTOGRAMS = frozenset({"predsurv_event_latency_seconds", "predsurv_seal_duration_seconds"})


def series_of(metrics: set[str]) -> dict[str, str]:
    """Every series name a query may use, and the metric it belongs to."""
    plain = {metric: metric for metric in metrics - _HISTOGRAMS}
    parts = {f"{metric}_{part}": metric for metric in metrics & _HISTOGRAMS for part in ("bucket", "sum", "count")}
    return plain | parts


def complaints_about(query: str, legend: str) -> list[str]:
    """What is wrong with one query: an unknown series, or a label that its metric does not carry."""
    known = series_of(set(METRICS))
    used = re.findall(r"\bpredsurv_\w+", query)
    unknown = [f"unknown series {name}" for name in used if name not in known]
    allowed = {"le"}.union(*(METRICS[known[name]] for name in used if name in known))
    grouped = {label.strip() for group in re.findall(r"\bby \(([^)]*)\)", query) for label in group.split(",")}
    matched = set(re.findall(r"[{,]\s*(\w+)\s*(?:=~|!~|!=|=)", query))
    shown = set(re.findall(r"\{\{\s*(\w+)\s*\}\}", legend))
    return unknown + [f"no label {label} on {used}" for label in sorted((grouped | matched | shown) - allowed)]


def _panels() -> list[dict[str, Any]]:
    dashboard = json.loads(_DASHBOARD.read_text())
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def _queries() -> Iterator[tuple[str, str]]:
    for panel in _panels():
        for target in panel["targets"]:
            yield target["expr"], target["legendFormat"]


def test_every_yaml_file_parses() -> None:
    files = sorted(_OPS.rglob("*.yml"))
    assert files
    for file in files:
        assert isinstance(yaml.safe_load(file.read_text()), dict), file.name


def test_dashboard_asks_only_for_what_there_is() -> None:
    assert [(query, found) for query, legend in _queries() if (found := complaints_about(query, legend))] == []


def test_every_metric_has_a_panel() -> None:
    asked = {name for query, _ in _queries() for name in re.findall(r"\bpredsurv_\w+", query)}
    assert {series_of(set(METRICS))[name] for name in asked} == set(METRICS)


def test_every_panel_names_its_unit_and_meaning() -> None:
    bare = [p["title"] for p in _panels() if not p["description"] or not p["fieldConfig"]["defaults"].get("unit")]
    assert bare == []


def test_panels_have_ids_of_their_own() -> None:
    ids = [panel["id"] for panel in json.loads(_DASHBOARD.read_text())["panels"]]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("query", "legend"),
    [
        ("rate(predsurv_event_total[5m])", ""),
        ("predsurv_event_latency_seconds", ""),
        ("sum by (market) (predsurv_connections)", ""),
        ('predsurv_connections{market="x"}', ""),
        ("predsurv_connections", "{{market}}"),
    ],
)
def test_a_wrong_query_is_noticed(query: str, legend: str) -> None:
    assert complaints_about(query, legend)


def test_images_are_pinned_and_nothing_listens_beyond_this_machine() -> None:
    services = yaml.safe_load(_COMPOSE.read_text())["services"]
    for name, service in services.items():
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), name
        assert service["network_mode"] == "host", name
        assert "ports" not in service, name
    assert "--web.listen-address=127.0.0.1:9090" in services["prometheus"]["command"]
    assert services["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"


def test_prometheus_accepts_its_configuration() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian, Ubuntu: apt install prometheus)")
    check = [promtool, "check", "config", str(_OPS / "prometheus.yml")]
    done = subprocess.run(check, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
