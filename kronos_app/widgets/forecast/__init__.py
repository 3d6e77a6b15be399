"""Widgets of the Forecast and History pages."""
