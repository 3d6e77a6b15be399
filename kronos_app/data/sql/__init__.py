"""Reads candles from the databases that the administrator named."""
