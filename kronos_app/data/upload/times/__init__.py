"""Columns of a file read as times; `timestamps.parse` is the way in."""
