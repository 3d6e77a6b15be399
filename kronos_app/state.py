"""The state of a browser session: keys of widgets, the language, the data set and the model in use.

What a link must reproduce (a forecast, a job, a comparison, the language) is in the query parameters.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from kronos_app.i18n import LANGUAGES, Text, translate
from kronos_app.services.models.limits import DEFAULT_MODEL
from kronos_app.settings import get_settings

LANGUAGE = "app.language"
CANDLES_ID = "app.candles_id"
MODEL = "app.model"
DEVICE = "app.device"
ANSWERS = "app.answers"
ASK_AGAIN = "app.ask_again"
GLOSSARY_QUERY = "app.glossary_query"

DATA_SOURCE = "data.source"
DATA_FILE = "data.file"
DATA_SAMPLE = "data.sample"
DATA_START = "data.start"
DATA_INTERVAL = "data.interval"
DATA_DRAFT = "data.draft"
DATA_MAPPINGS = "data.mappings"
DATA_MAPPING_FILE = "data.mapping_file"
DATA_MAPPING_FORM = "data.mapping_form"
DATA_REPAIR = "data.repair"
DATA_FIXES = "data.fixes"
DATA_CALENDAR = "data.calendar"
DATA_REPORTS = "data.reports"
DATA_SERIES = "data.series"
DATA_KEPT = "data.kept"
DATA_KEPT_JOB = "data.kept_job"
DATA_LISTED_SOURCE = "data.listed_source"
DATA_LISTED_MARKET = "data.listed_market"
DATA_LISTED_SYMBOLS = "data.listed_symbols"
DATA_LISTED_READ = "data.listed_read"
DATA_SQL_CONNECTION = "data.sql_connection"
DATA_SQL_WAY = "data.sql_way"
DATA_SQL_TABLE = "data.sql_table"
DATA_SQL_QUERY = "data.sql_query"
DATA_SQL_SHOWN = "data.sql_shown"
DATA_SQL_COLUMN = "data.sql_column"
DATA_SQL_SYMBOL = "data.sql_symbol"
DATA_SQL_FROM = "data.sql_from"
DATA_SQL_TO = "data.sql_to"
DATA_SQL_ZONE = "data.sql_zone"
DATA_SQL_JOB = "data.sql_job"
DATA_STORED = "data.stored"
DATA_STORED_TEXT = "data.stored_text"
DATA_STORED_PAGE = "data.stored_page"
DATA_STORED_LAST = "data.stored_last"
DATA_STORED_JOB = "data.stored_job"
DATA_WATCHLIST = "data.watchlist"
DATA_WATCHLIST_NEW = "data.watchlist_new"
DATA_WATCHED = "data.watched"
DATA_SETS_TEXT = "data.sets_text"
DATA_SETS_PAGE = "data.sets_page"
DATA_COMPARED = "data.compared"
DATA_COMPARED_RANGE = "data.compared_range"
DATA_EXCHANGE = "data.exchange"
DATA_QUERY = "data.query"
DATA_SYMBOL = "data.symbol"
DATA_FETCH_INTERVAL = "data.fetch_interval"
DATA_FROM = "data.from"
DATA_TO = "data.to"
DATA_OPTION = "data.option"
DATA_JOB = "data.job"

FORECAST_CANDLES = "forecast.candles"
FORECAST_MODEL = "forecast.model"
FORECAST_MODE = "forecast.mode"
FORECAST_CUTOFF = "forecast.cutoff"
FORECAST_CUTOFF_DATE = "forecast.cutoff_date"
FORECAST_LOOKBACK = "forecast.lookback"
FORECAST_HORIZON = "forecast.horizon"
FORECAST_WINDOW = "forecast.window"
FORECAST_PRESET = "forecast.preset"
FORECAST_TEMPERATURE = "forecast.temperature"
FORECAST_TOP_P = "forecast.top_p"
FORECAST_TOP_K = "forecast.top_k"
FORECAST_SAMPLES = "forecast.samples"
FORECAST_DRIFTLESS = "forecast.driftless"
FORECAST_SEED = "forecast.seed"
FORECAST_CACHED = "forecast.cached"
FORECAST_ADVISED = "forecast.advised"  # model and values that the settings were last filled in from
FORECAST_RECALIBRATED = "forecast.recalibrated"

HISTORY_TEXT = "history.text"
HISTORY_MODEL = "history.model"
HISTORY_CANDLES = "history.candles"
HISTORY_PAGE = "history.page"
HISTORY_COMPARE_TEXT = "history.compare.text"
HISTORY_FIRST = "history.first"
HISTORY_SECOND = "history.second"

LIVE_SOURCE = "live.source"
LIVE_EXCHANGE = "live.exchange"
LIVE_QUERY = "live.query"
LIVE_SYMBOL = "live.symbol"
LIVE_INTERVAL = "live.interval"
LIVE_OPTION = "live.option"
LIVE_CADENCE = "live.cadence"
LIVE_MODEL = "live.model"
LIVE_LOOKBACK = "live.lookback"
LIVE_HORIZON = "live.horizon"
LIVE_SAMPLES = "live.samples"
LIVE_DRAWN = "live.drawn"
LIVE_KIND = "live.kind"
LIVE_LEDGER_MODEL = "live.ledger_model"
LIVE_LEDGER_SYMBOL = "live.ledger_symbol"
LIVE_LEVEL = "live.level"

FINETUNE_VIEW = "finetune.view"
FINETUNE_STAGES = "finetune.stages"
FINETUNE_SPLIT = "finetune.split"
FINETUNE_VALIDATION = "finetune.validation"
FINETUNE_TEST = "finetune.test"
FINETUNE_FIELD = "finetune.field"  # and the path of the setting
FINETUNE_PAGE = "finetune.page"
FINETUNE_TRIAL = "finetune.trial"
FINETUNE_COMPARED = "finetune.compared"
FINETUNE_NAME = "finetune.name"
FINETUNE_NOTE = "finetune.note"

EVALUATE_LEVEL = "evaluate.level"
EVALUATE_WORST = "evaluate.worst"  # and the evaluation

BACKTEST_FIELD = "backtest.field"  # and the name of the field
BACKTEST_DAY = "backtest.day"  # and the backtest
BACKTEST_COMPARED = "backtest.compared"
BACKTEST_BEHIND = "backtest.behind"  # and the backtest and the day

MODELS_FIRST = "models.first"
MODELS_SECOND = "models.second"


def language() -> str:
    """Return the session's language: chosen by the user, else of the address, else of the deployment."""
    chosen = st.session_state.get(LANGUAGE) or st.query_params.get("lang")
    return chosen if chosen in LANGUAGES else get_settings().language


def gettext(msgid: str) -> str:
    """Return a message in the session's language; modules import this as `_`."""
    return translate(msgid, language())


def say(message: Text) -> str:
    """Return a message of a lower layer in the session's language."""
    return message.render(language())


def joined(*parts: str) -> str:
    """Return the key of a widget that exists once for each value, such as each source."""
    return ".".join(parts)


def default(key: str, value: Any) -> None:
    """Set the first value of a widget, unless the session has a value."""
    st.session_state.setdefault(key, value)


def clamp(key: str, low: Any, high: Any) -> None:
    """Move a widget's value into bounds that have changed; Streamlit refuses values outside."""
    if st.session_state.get(key) is not None:
        st.session_state[key] = min(max(st.session_state[key], low), high)


def candles_id() -> str | None:
    """Return the id of the data set in use."""
    return st.session_state.get(CANDLES_ID)


def use_candles(new: str) -> None:
    """Use a data set and reset the settings that depend on the previous one."""
    if new != candles_id():
        for key in (FORECAST_CUTOFF, FORECAST_CUTOFF_DATE):
            st.session_state.pop(key, None)
    st.session_state[CANDLES_ID] = new


def model() -> str:
    """Return the name of the model in use."""
    return str(st.session_state.get(MODEL, DEFAULT_MODEL))


def use_model(name: str) -> None:
    """Use a model."""
    st.session_state[MODEL] = name


def device() -> str | None:
    """Return the device of models, None for the fastest."""
    return st.session_state.get(DEVICE)
