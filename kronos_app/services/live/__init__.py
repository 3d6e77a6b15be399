"""Followed series, and the keeper thread."""
