"""Widgets of the Data page, and charts of candles that other pages show."""
