"""Widgets that every page may use: errors, formats, jobs, paging, style."""
