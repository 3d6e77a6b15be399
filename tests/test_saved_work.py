"""Names and hashes by which users' saved work is found again, written out here.

A renamed job kind, file or setting would leave queued jobs, runs and stored forecasts behind without a word. Whoever
changes a value of this file also writes what moves the saved work to the new one.
"""

from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from kronos_app.data.candle_frame import CandleFrame
from kronos_app.data.upload.mapping import ColumnMapping
from kronos_app.services.candles import uploads
from kronos_app.services.desk import Desk
from kronos_app.services.evaluation.run import SCORES
from kronos_app.services.finetune.run import QUEUED
from kronos_app.services.finetune.trainer import TRAINER
from kronos_app.services.forecast.plan import plan_forecast
from kronos_app.services.forecast.record import JUDGEMENT
from kronos_app.services.forecast.request import ForecastRequest
from kronos_app.services.live.worker import _candles_id
from kronos_app.services.models.registry import FACTS
from kronos_app.services.runs.run import DESK, REPORT
from kronos_app.settings import Settings
from kronos_app.store import CandleSet
from kronos_app.store.ledger import Follow
from kronos_app.web.browser import signing_key
from training.evaluation.baselines import Ewma, LastClose
from training.evaluation.cutoffs import Series, rolling
from training.evaluation.walk_forward import SETTINGS, walk_forward
from training.fit import checkpoint, corpus
from training.run import export
from training.run.folder import LOG, RunFolder

WEIGHTS = "weights"


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with closing(Desk(Settings(home=tmp_path_factory.mktemp("home"), threads=1))) as desk:
        desk.start()
        yield desk


@pytest.fixture(scope="module")
def candles():
    """Sixty hours whose values are written as formulas, so that no random generator can change them."""
    close = pd.Series([100 + (7 * i % 13) / 4 for i in range(60)])
    times = pd.date_range("2024-01-01", periods=60, freq="h")
    columns = {"open": close - 0.25, "high": close + 0.5, "low": close - 0.5, "close": close, "volume": close * 8}
    return CandleSet("walk", CandleFrame(pd.DataFrame({"timestamp": times, **columns}), "walk.csv", "upload"), {}, {})


def test_jobs_of_an_earlier_process_find_their_workers_by_kind(desk):
    kinds = {"backtest", "behind", "evaluation", "fetch", "follow", "forecast", "query", "refresh", "trial", "upload"}
    assert set(desk.jobs._handlers) == kinds


def test_the_home_folder_has_these_files_and_folders(desk):
    home = desk.settings.home
    signing_key(home)
    folders = [
        desk.fetched._folder, desk.uploads._folder, desk.tuning._folders.folder, desk.evaluations._folders.folder,
        desk.backtests._folders.folder, desk.models.registry_folder,
    ]  # fmt: skip
    names = {"fetched", "uploads", "runs", "evaluations", "backtests", "registry"}
    assert {path.relative_to(home).as_posix() for path in folders} == names
    files = {path.name for path in home.iterdir() if path.is_file()}
    assert files >= {"cookie.key", "desk.lock", "desk.process.json", "kronos.duckdb"}


def test_the_folder_of_a_run_has_these_files_and_folders():
    run = RunFolder(Path("run"))
    paths = {path for path in vars(run).values() if path != run.path} | {run.stage("predictor"), run.stage("tokenizer")}
    assert {path.relative_to(run.path).as_posix() for path in paths} == {
        "config.yaml", "provenance.json", "prepared", "run.log", "forecasts.jsonl", "examples.json", "report.json",
        "export", "status.json", "request.json", "predictor", "tokenizer",
    }  # fmt: skip


def test_records_are_read_from_files_of_these_names():
    assert (DESK, REPORT, SCORES, SETTINGS) == ("desk.json", "report.json", "scores.csv", "evaluation.json")
    assert (QUEUED, TRAINER, FACTS, JUDGEMENT) == ("queued.json", "trainer.json", "kronos.json", "judgement.json")
    assert (uploads.OPTIONS, uploads.SERIES, uploads.RESULT) == ("upload.json", "series.zip", "result.json")
    assert (checkpoint.TENSORS, checkpoint.HEADER) == ("state.safetensors", "state.json")
    assert (checkpoint.NAME.format(step=12), corpus.HEADER, LOG) == ("step-00000012", "corpus.json", "log.jsonl")
    assert (export.MODEL, export.TOKENIZER, export.REPORT) == ("model", "tokenizer", "report.json")


def test_a_forecast_keeps_its_id(candles):
    request = ForecastRequest.build({
        "candles_id": "walk", "model": "kronos-nano", "lookback": 40, "horizon": 3, "seed": 7, "temperature": 0.9,
        "top_p": 0.95, "samples": 10,
    })  # fmt: skip
    plan = plan_forecast(request, candles, 512)
    zero_drift = plan_forecast(request.model_copy(update={"driftless": True}), candles, 512)
    assert candles.candles.digest == "412fc6cf6844968289f0a06db4327fc4e0b3bfe33e4c8cdfd0927c5b50d38b8f"
    assert plan.content(WEIGHTS) == "33b70d6627a06ee4747b1bfd100ee446e236aa9b1f02a9465b0e30f82a6161b8"
    assert plan.forecast_id(WEIGHTS) == "7395e0ab1fc690b720307229d87c373d"
    assert zero_drift.forecast_id(WEIGHTS) == "202e534d97ea93069c420e8c70c7dd91"


def test_a_followed_series_keeps_the_data_set_of_its_forecasts():
    follow = Follow("f1", "yahoo", "AAPL", "1d", {}, 60, options={"adjusted": "True"})
    assert _candles_id(follow, 2) == "live-ea494a32bb138edd"


def test_columns_that_a_user_assigned_are_found_by_the_header_of_the_file(desk):
    content = b"when,A,B,K,D\n2024-01-02,1,2,1,2\n2024-01-03,2,3,2,3\n"
    columns = {"when": "timestamp", "A": "open", "B": "high", "K": "low", "D": "close"}
    mapping = ColumnMapping.model_validate({"columns": columns})
    desk.column_mappings.remember(desk.column_mappings.preview(content, "odd.csv", mapping), mapping)
    stored = desk.store.column_mappings.get("78812f7dc8c72e3ad03afd0e59f7107adf5237c5fef39b68e5ca2fe158eb7e3e")
    assert stored.columns == ["when", "A", "B", "K", "D"]


def test_scores_of_an_interrupted_evaluation_are_found_by_the_names_of_their_files(candles, tmp_path):
    cutoffs = rolling([Series.of(candles.candles.frame, "walk", "crypto/1h")], lookback=20, horizon=3, n_windows=4)
    walk_forward([LastClose(), Ewma()], cutoffs, tmp_path, seed=7)
    assert {path.name for path in tmp_path.iterdir()} == {
        "evaluation.json", "84a4c14a25e4b27eb02473fe5f8e4dbb.parquet", "a386264a8ea5c7378f73abec170b5d74.parquet",
    }  # fmt: skip
