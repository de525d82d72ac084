"""The metrics of several processes are one exposition, in which each series names its collector."""

from prometheus_client.exposition import generate_latest

from predsurv.telemetry.monitor import Monitor
from predsurv.telemetry.process_metrics import ProcessMetrics, exposition


def lines_of(text: bytes) -> list[str]:
    return [line for line in text.decode().splitlines() if line.startswith("predsurv_log_lines_dropped")]


def test_every_series_is_there_once_for_each_process() -> None:
    monitor, other = Monitor(["mock"]), Monitor(["mock"])
    monitor.metrics.lines_dropped = lambda: 3
    told = {"c0-1": exposition(monitor), "c0-2": exposition(other)}
    merged = generate_latest(ProcessMetrics(lambda: told).registry)
    assert lines_of(exposition(monitor)) == ["predsurv_log_lines_dropped_total 3.0"]
    assert lines_of(merged) == [
        'predsurv_log_lines_dropped_total{collector="c0-1"} 3.0',
        'predsurv_log_lines_dropped_total{collector="c0-2"} 0.0',
    ]
    names = [line.split()[2] for line in merged.decode().splitlines() if line.startswith("# TYPE")]
    assert len(names) == len(set(names))
    assert merged.count(b"{") >= 2 * exposition(other).count(b"{")


def test_there_is_nothing_before_a_process_has_told_its_own() -> None:
    assert generate_latest(ProcessMetrics(dict).registry) == b""


def test_it_is_served() -> None:
    server = ProcessMetrics(dict).serve(lambda: None, "127.0.0.1", 0)  # type: ignore[arg-type,return-value]
    assert server.port > 0
    server.close()
