"""Widgets for choosing models and managing registered versions."""
