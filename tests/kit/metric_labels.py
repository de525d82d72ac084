"""What dashboards and alerts of users rely on."""

# Metric and labels: what dashboards and alerts of users rely on. A change here is a change for them.
METRICS: dict[str, frozenset[str]] = {
    "predsurv_events_total": frozenset({"venue", "event_type"}),
    "predsurv_event_latency_seconds": frozenset({"venue", "event_type"}),
    "predsurv_strategy_signals_total": frozenset({"strategy", "signal_type"}),
    "predsurv_connections": frozenset({"venue"}),
    "predsurv_subscriptions": frozenset({"venue"}),
    "predsurv_gaps_total": frozenset({"venue", "reason"}),
    "predsurv_queue_depth": frozenset({"queue"}),
    "predsurv_rows_written_total": frozenset({"dataset"}),
    "predsurv_bytes_written_total": frozenset({"dataset"}),
    "predsurv_seal_duration_seconds": frozenset(),
    "predsurv_orders_total": frozenset({"venue", "outcome"}),
    "predsurv_portfolio_value_usd": frozenset({"kind"}),
}
