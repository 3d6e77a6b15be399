"""Followed series, and the thread that keeps time."""
