"""Candles: uploads, stored series, market data sources, databases and Qlib folders."""
