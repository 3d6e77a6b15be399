"""Forecasts: request, plan, worker, calibration, views."""
