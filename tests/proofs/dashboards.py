"""Every panel and every alert, asked of a real Prometheus that scraped a real collector and a real trader.

``python -m tests.proofs.dashboards [--seconds 120]``; needs ``prometheus`` (Debian, Ubuntu: the package of that
name; or where the environment variable PROMETHEUS points).

The collector keeps its files in a bucket, both trade or record the made-up venue, and each is scraped every second. A
curve that had no number in all that time is a finding, and so are a selector of an alert that matches no series, an
alert that cannot be evaluated, a failed scrape, and more series than the metrics reference says. The collector loses
its connection once in that time; afterwards trading is halted, the collector's loop stands still, and the trader is
killed: each has to fire.
"""

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.kit.dashboard import alerts, queries_of_made_up, selectors
from tests.kit.prometheus import Prometheus, Watched, program, watched

RATE_INTERVAL: Final = "15s"
SERIES_MAX: Final = 400
ALARM_SECONDS_MAX: Final = 120.0
"""How long an alarm may take; that of a process that is gone has a minute of patience."""


def empty_panels(server: Prometheus, start: float, end: float) -> list[str]:
    """Return the curves that had no number at any second from ``start`` to ``end``."""
    found, checked = [], 0
    for query in queries_of_made_up():
        series = server.numbers_within(query.asked(RATE_INTERVAL), start, end)
        checked += 1
        if not any(series.values()):
            found.append(f"panel {query.panel!r}, curve {query.legend!r}: no number in {len(series)} series")
    print(f"{checked} curves of the dashboards asked")
    return found


def blind_alerts(server: Prometheus) -> list[str]:
    """Return the selectors of alerts that match nothing now, and the alerts that Prometheus cannot evaluate."""
    rules = {rule["name"]: rule for rule in server.ask("rules")["groups"][0]["rules"]}
    found = [
        f"alert {name}: {rule['health']}: {rule.get('lastError')}"
        for name, rule in rules.items()
        if rule["health"] != "ok"
    ]
    checked = 0
    for rule in alerts():
        for selector in selectors(rule["expr"]):
            checked += 1
            if not server.ask("query", query=selector)["result"]:
                found.append(f"alert {rule['alert']}: {selector} selects nothing")
    fired = sorted(name for name, rule in rules.items() if rule["state"] != "inactive")
    print(
        f"{len(rules)} alerts evaluated, {checked} of their selectors asked; "
        f"firing or about to: {', '.join(fired) or 'none'}"
    )
    return found


def bad_scrapes(server: Prometheus, start: float, end: float) -> list[str]:
    """Return the scrapes that failed or brought too much."""
    found = []
    for labels, numbers in server.numbers_within("up", start, end).items():
        if min(numbers) < 1:
            found.append(f"a failed scrape: {labels}")
    scraped = server.numbers_within("scrape_samples_scraped", start, end)
    longest = server.numbers_within("scrape_duration_seconds", start, end)
    for labels, numbers in scraped.items():
        print(f"{len(numbers)} scrapes of {max(numbers):.0f} samples {labels}")
        if max(numbers) > SERIES_MAX:
            found.append(f"more than {SERIES_MAX} series: {labels}")
    print(f"the longest scrape took {max(max(each) for each in longest.values()) * 1000:.0f} ms")
    return found


def silent_alarms(scene: Watched, start: float, end: float) -> list[str]:
    """Return what happened without an alarm: the outage of the run, a halt, a loop that stands still, the end."""
    server, found = scene.server, []
    gaps = server.numbers_within('max(increase(predsurv_gaps_total{reason="disconnect"}[5m]))', start, end)
    wanted = server.numbers_within(f'predsurv_subscriptions{{instance="{scene.collector}"}}', start, end)
    shown, instruments = (max(max(each) for each in series.values()) for series in (gaps, wanted))
    print(f"the first outage, of {instruments:.0f} instruments, is shown as {shown:.0f} gaps")
    if shown < instruments / 2 or not scene.firing("PredsurvGaps", scene.collector):
        found.append("the first outage is not seen")
    causes: Mapping[str, Callable[[], None]] = {
        "PredsurvHalted": lambda: scene.command("halt"),
        "PredsurvFrozen": scene.freeze,
        "PredsurvDown": scene.trader_process.kill,
    }
    for alert, cause in causes.items():
        instance = scene.collector if alert == "PredsurvFrozen" else scene.trader
        began = time.monotonic()
        cause()
        while not scene.firing(alert, instance) and time.monotonic() < began + ALARM_SECONDS_MAX:
            time.sleep(0.2)
        print(f"{alert} fires after {time.monotonic() - began:.1f} s")
        if not scene.firing(alert, instance):
            found.append(f"{alert} does not fire")
    return found


def main(words: Sequence[str]) -> int:
    """Run collector, trader and Prometheus for so long, ask everything; return 1 when anything was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120)
    seconds = parser.parse_args(words).seconds
    if program("prometheus") is None:
        print("prometheus is not installed (Debian, Ubuntu: apt install prometheus)", file=sys.stderr)
        return 2
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # the bucket's server logs each request
    with (
        tempfile.TemporaryDirectory(prefix="predsurv-dashboards-") as folder,
        watched(Path(folder), outage="30s") as scene,
    ):
        start = time.time()
        time.sleep(seconds)
        end, server = time.time(), scene.server
        found = bad_scrapes(server, start, end) + empty_panels(server, start, end) + blind_alerts(server)
        found += silent_alarms(scene, start, end)
    for line in found:
        print(line)
    print(f"findings: {len(found) or 'none'}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
