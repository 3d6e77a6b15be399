"""Widgets of the Backtest page."""
