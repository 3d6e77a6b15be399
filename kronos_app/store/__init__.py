"""What outlives the process: candle sets, forecasts and job records, in DuckDB or any database SQLAlchemy reaches.

Never imports streamlit, pages, api, services or jobs, and computes nothing about markets.
"""

from kronos_app.store.records import CandleSet, CandleSetInfo, ForecastInfo, Job, JobStatus, StoredForecast
from kronos_app.store.store import Store

__all__ = ["CandleSet", "CandleSetInfo", "ForecastInfo", "Job", "JobStatus", "Store", "StoredForecast"]
