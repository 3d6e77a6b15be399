"""Runs that have a folder: what evaluation, backtest and fine-tune share."""
