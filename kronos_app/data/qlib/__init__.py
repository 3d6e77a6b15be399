"""Folders of market data in Qlib's layout: read and written."""
