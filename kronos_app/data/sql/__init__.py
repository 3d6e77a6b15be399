"""Databases that an administrator named, read into drafts."""
