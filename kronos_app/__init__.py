"""Kronos Desk: the dashboard, its REST API and the services behind both."""
