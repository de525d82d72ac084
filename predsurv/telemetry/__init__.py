"""Prometheus metrics, logs, and the server of /metrics and /healthz.

Instrumentation is a consumer: it turns facts into numbers, and no decision depends on it.
"""
