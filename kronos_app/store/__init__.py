"""Candle sets, series, forecasts, jobs and their like in DuckDB, SQLite, PostgreSQL, MySQL or MariaDB.

Never imports streamlit, pages, api, services or jobs.
"""

from kronos_app.store.records import CandleSet, CandleSetInfo, ForecastInfo, Job, JobStatus, StoredForecast
from kronos_app.store.store import Store

__all__ = ["CandleSet", "CandleSetInfo", "ForecastInfo", "Job", "JobStatus", "Store", "StoredForecast"]
