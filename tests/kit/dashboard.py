"""The expressions of the dashboard and of the alerts, as Prometheus gets them."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

OPS: Final = Path(__file__).resolve().parents[2] / "ops"
DASHBOARD: Final = OPS / "grafana" / "dashboards" / "predsurv.json"
ALERTS: Final = OPS / "alerts.yml"


class Query(NamedTuple):
    """What one curve of a panel asks for, and how it is called."""

    panel: str
    expression: str
    legend: str

    def asked(self, rate_interval: str) -> str:
        """Return the expression as Grafana sends it with every venue and process chosen."""
        values = {"$venue": ".*", "$instance": ".*", "$__rate_interval": rate_interval}
        text = self.expression
        for name, value in values.items():
            text = text.replace(name, value)
        return text


def panels() -> list[dict[str, Any]]:
    """Return the panels of the dashboard, without the rows that group them."""
    dashboard = json.loads(DASHBOARD.read_text())
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def queries() -> Iterator[Query]:
    """Yield every curve of every panel."""
    for panel in panels():
        for target in panel["targets"]:
            yield Query(panel["title"], target["expr"], target["legendFormat"])


def alerts() -> list[Mapping[str, Any]]:
    """Return the alerting rules."""
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def selectors(expression: str) -> list[str]:
    """Return the selectors of series in an expression, each as a query of its own without range and offset."""
    return re.findall(r"\b(?:predsurv|process|up)\w*(?<!_)(?:\{[^}]*\})?", re.sub(r'"[^"]*"', _kept, expression))


def _kept(text: re.Match[str]) -> str:
    return text[0]
