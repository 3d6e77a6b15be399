"""Runs that have a folder and a job: what evaluation and backtest share."""
