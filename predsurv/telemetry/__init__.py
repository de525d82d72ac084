"""Prometheus metrics, logs, and the server behind /metrics and /healthz.

Separate because instrumentation only listens: it turns facts into numbers, and no decision depends on it.
"""
