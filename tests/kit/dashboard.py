"""The expressions of the dashboards and of the alerts, as Prometheus gets them."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

OPS: Final = Path(__file__).resolve().parents[2] / "ops"
COLLECTOR: Final = OPS / "grafana" / "dashboards" / "predsurv.json"
TRADER: Final = OPS / "grafana" / "dashboards" / "predsurv-trader.json"
DASHBOARDS: Final = (COLLECTOR, TRADER)
ALERTS: Final = OPS / "alerts.yml"


UNLIMITED: Final = ("predsurv_request_headroom_ratio", "predsurv_requests_waiting")
"""What a process on the made-up venue alone does not have: it asks nobody for anything."""


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


def panels(dashboards: Sequence[Path] = DASHBOARDS) -> list[dict[str, Any]]:
    """Return the panels of some dashboards, without the rows that group them."""
    found = [panel for dashboard in dashboards for panel in json.loads(dashboard.read_text())["panels"]]
    return [panel for panel in found if panel["type"] != "row"]


def queries(dashboards: Sequence[Path] = DASHBOARDS) -> Iterator[Query]:
    """Yield every curve of every panel."""
    for panel in panels(dashboards):
        for target in panel["targets"]:
            yield Query(panel["title"], target["expr"], target["legendFormat"])


def queries_of_made_up() -> list[Query]:
    """Return the curves that processes on the made-up venue have numbers for."""
    return [query for query in queries() if not any(name in query.expression for name in UNLIMITED)]


def alerts() -> list[Mapping[str, Any]]:
    """Return the alerting rules."""
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def selectors(expression: str) -> list[str]:
    """Return the selectors of series in an expression, each as a query of its own without range and offset."""
    return re.findall(r"\b(?:predsurv|process|up)\w*(?<!_)(?:\{[^}]*\})?", re.sub(r'"[^"]*"', _kept, expression))


def _kept(text: re.Match[str]) -> str:
    return text[0]
