"""Forecasts: request, plan, worker, recalibration, views."""
