"""Backtests: request, service, worker, report, views."""
