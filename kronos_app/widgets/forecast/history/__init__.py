"""The History page: filter, table and actions."""
