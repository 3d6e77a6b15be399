"""Widgets that show graded forecasts."""
