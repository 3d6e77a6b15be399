"""Figures reach TensorBoard, MLflow and Comet, and none of them can stop a training."""

from __future__ import annotations

import importlib.machinery
import json
import socket
import sys
import types
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.servers.local import LocalServer, run_server
from training.errors import ConfigError, Message
from training.run.config import RunConfig
from training.run.tracking import open_trackers


def config(**track: Any) -> RunConfig:
    return RunConfig.model_validate({"name": "trial", "data": {"source": "files", "paths": ["a.csv"]}, "track": track})


def tell(folder: Path, settings: RunConfig, rows: dict[int, dict[str, float]]) -> list[Message]:
    """Tell the trackers of a stage of `rows`, as one process does, and return what they noted."""
    notes: list[Message] = []
    trackers = open_trackers(settings, folder, notes.append)
    for step, values in rows.items():
        for tracker in trackers:
            tracker.figures(step, values)
    for tracker in trackers:
        tracker.close()
    return notes


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_tensorboard_reads_back_what_was_told(tmp_path: Path) -> None:
    assert not tell(tmp_path, config(), {10: {"loss": 2.5, "learning_rate": 0.25}, 20: {"loss": 1.5}})
    assert scalars(tmp_path) == {"loss": [(10, 2.5), (20, 1.5)], "learning_rate": [(10, 0.25)]}


def test_steps_that_a_resumed_run_repeats_count_once_in_tensorboard(tmp_path: Path, monkeypatch) -> None:
    clock = iter(range(1_700_000_000, 1_800_000_000))
    monkeypatch.setattr("time.time", lambda: float(next(clock)))  # event files are read in the order of their seconds
    tell(tmp_path, config(), {10: {"loss": 3.0}, 20: {"loss": 2.0}, 30: {"loss": 9.0}})
    tell(tmp_path, config(), {20: {"loss": 2.0}, 30: {"loss": 1.0}})
    assert scalars(tmp_path)["loss"] == [(10, 3.0), (20, 2.0), (30, 1.0)]


def test_a_run_that_asks_for_no_tracker_has_none(tmp_path: Path) -> None:
    assert open_trackers(config(tensorboard=False), tmp_path) == []


class Mlflow(LocalServer):
    """The part of MLflow's REST API that runs and figures need, as its documentation has it."""

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.experiments: list[str] = []
        self.runs: list[dict[str, Any]] = []
        self.authorizations: set[str | None] = set()
        self.requests: list[str] = []
        self.moved_to = ""
        self.broken = False

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.broken:
            return 503, {}
        match path.removeprefix("/api/2.0/mlflow/"):
            case "experiments/get-by-name":
                name = body["experiment_name"]
                known = name in self.experiments
                return (200, {"experiment": {"experiment_id": self.experiments.index(name)}}) if known else (404, {})
            case "experiments/create":
                self.experiments.append(body["name"])
                return 200, {"experiment_id": str(len(self.experiments) - 1)}
            case "runs/create":
                self.runs.append({"name": body["run_name"], "status": "RUNNING", "metrics": [], "params": {}})
                return 200, {"run": {"info": {"run_id": str(len(self.runs) - 1)}}}
        run = self.runs[int(body["run_id"])]
        if path.endswith("runs/update"):
            run["status"] = body["status"]
        else:
            assert path.endswith("runs/log-batch")
            run["metrics"] += [(metric["key"], metric["step"], metric["value"]) for metric in body.get("metrics", [])]
            assert len(body.get("params", [])) <= 100
            run["params"] |= {param["key"]: param["value"] for param in body.get("params", [])}
        return 200, {}


class _Handler(BaseHTTPRequestHandler):
    server: Mlflow

    def do_GET(self) -> None:
        self.reply({name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()})

    def do_POST(self) -> None:
        self.reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def reply(self, body: dict[str, Any]) -> None:
        self.server.authorizations.add(self.headers.get("Authorization"))
        self.server.requests.append(self.path)
        if self.server.moved_to:
            self.send_response(307)
            self.send_header("Location", self.server.moved_to + self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        status, answer = self.server.answer(urlsplit(self.path).path, body)
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_request(self, *args: object) -> None:
        pass


@pytest.fixture
def mlflow() -> Iterator[Mlflow]:
    with run_server(Mlflow()) as server:
        yield server


def test_mlflow_gets_settings_and_figures_and_goes_on_in_the_same_run_when_resumed(
    tmp_path: Path, mlflow: Mlflow
) -> None:
    settings = config(tensorboard=False, mlflow_uri=mlflow.url)
    assert not tell(tmp_path / "predictor", settings, {1: {"loss": 2.0, "gradient_norm": float("inf")}})
    assert not tell(tmp_path / "predictor", settings, {2: {"loss": 1.0}})
    assert not tell(tmp_path / "tokenizer", settings, {1: {"loss": 5.0}})
    assert mlflow.experiments == ["kronos"]
    predictor, tokenizer = mlflow.runs
    assert (predictor["name"], predictor["status"]) == ("trial predictor", "FINISHED")
    assert predictor["metrics"] == [("loss", 1, 2.0), ("loss", 2, 1.0)]
    assert tokenizer["metrics"] == [("loss", 1, 5.0)]
    assert predictor["params"]["window.lookback"] == "90"
    assert predictor["params"]["predictor.betas"] == "(0.9, 0.95)"


def test_no_service_is_told_the_address_of_a_store_which_may_hold_a_password(tmp_path: Path, mlflow: Mlflow) -> None:
    data = {"source": "store", "url": "postgresql://desk:hush@db/desk"}
    settings = RunConfig.model_validate({"data": data, "track": {"tensorboard": False, "mlflow_uri": mlflow.url}})
    tell(tmp_path, settings, {1: {"loss": 2.0}})
    assert mlflow.runs[0]["params"]["data.source"] == "store"
    assert "hush" not in json.dumps(mlflow.runs)


def test_mlflows_own_variables_open_a_guarded_server(tmp_path: Path, mlflow: Mlflow, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "abc")
    tell(tmp_path, config(tensorboard=False, mlflow_uri=mlflow.url), {1: {"loss": 2.0}})
    assert mlflow.authorizations == {"Bearer abc"}


@pytest.fixture
def thief() -> Iterator[Mlflow]:
    """Another server, which nobody allowed."""
    with run_server(Mlflow()) as server:
        yield server


def test_a_run_of_a_desk_reaches_only_servers_that_its_administrator_named(
    tmp_path: Path, mlflow: Mlflow, thief: Mlflow, monkeypatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "abc")
    monkeypatch.setenv("KRONOS_ALLOWED_ADDRESSES", json.dumps([mlflow.url]))
    with pytest.raises(ConfigError, match="may not send data to"):
        tell(tmp_path, config(tensorboard=False, mlflow_uri=thief.url), {1: {"loss": 2.0}})
    assert not thief.requests
    tell(tmp_path, config(tensorboard=False, mlflow_uri=mlflow.url), {1: {"loss": 2.0}})
    assert mlflow.authorizations == {None}, "credentials are for MLFLOW_TRACKING_URI alone"


@pytest.mark.parametrize("listed", [True, False])
def test_credentials_go_to_the_administrators_server_alone(
    tmp_path: Path, mlflow: Mlflow, thief: Mlflow, monkeypatch, listed: bool
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "abc")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "desk")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow.url)
    if listed:
        monkeypatch.setenv("KRONOS_ALLOWED_ADDRESSES", json.dumps([thief.url]))
    tell(tmp_path / "a", config(tensorboard=False, mlflow_uri=mlflow.url), {1: {"loss": 2.0}})
    tell(tmp_path / "b", config(tensorboard=False, mlflow_uri=thief.url), {1: {"loss": 2.0}})
    assert None not in mlflow.authorizations
    assert thief.authorizations == {None}


def test_a_redirect_to_another_server_is_not_followed(
    tmp_path: Path, mlflow: Mlflow, thief: Mlflow, monkeypatch
) -> None:
    monkeypatch.setenv("KRONOS_ALLOWED_ADDRESSES", json.dumps([mlflow.url]))
    mlflow.moved_to = thief.url
    [note] = tell(tmp_path, config(tensorboard=False, mlflow_uri=mlflow.url), {1: {"loss": 2.0}})
    assert "307" in str(note)
    assert mlflow.requests
    assert not thief.requests


def test_comet_has_to_be_named_by_the_administrator(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("KRONOS_ALLOWED_ADDRESSES", "[]")
    monkeypatch.setenv("COMET_API_KEY", "abc")
    with pytest.raises(ConfigError, match=r"track\.comet_project: this desk may not send data to https://www"):
        open_trackers(config(comet_project="candles"), tmp_path)


def test_a_server_that_goes_away_is_noted_once_and_the_others_go_on(tmp_path: Path, mlflow: Mlflow) -> None:
    notes: list[Message] = []
    trackers = open_trackers(config(mlflow_uri=mlflow.url), tmp_path, notes.append)
    for step in (1, 2, 3):
        mlflow.broken = step > 1
        for tracker in trackers:
            tracker.figures(step, {"loss": 1.0 / step})
    for tracker in trackers:
        tracker.close()
    assert len(notes) == 1
    assert "MLflow receives no figures" in str(notes[0])
    assert "503" in str(notes[0])
    assert [step for step, _ in scalars(tmp_path)["loss"]] == [1, 2, 3]


def test_a_server_that_was_never_there_is_noted_too(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{free.getsockname()[1]}"
    notes = tell(tmp_path, config(tensorboard=False, mlflow_uri=uri), {1: {"loss": 2.0}, 2: {"loss": 1.0}})
    assert len(notes) == 1
    assert not (tmp_path / "mlflow.json").exists()


def test_an_address_that_is_none_is_refused_before_training(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"track\.mlflow_uri is mlruns: give the address"):
        open_trackers(config(mlflow_uri="mlruns"), tmp_path)


def test_comet_without_its_client_says_how_to_get_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("training.run.tracking.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install comet_ml"):
        open_trackers(config(comet_project="candles"), tmp_path)


class Experiment:
    """Stands in for an experiment of Comet, whose client is none of our requirements."""

    def __init__(self, started: dict[str, Any]) -> None:
        self.started, self.parameters, self.metrics, self.ended = started, {}, [], False

    def get_key(self) -> str:
        return "a1b2"

    def log_parameters(self, parameters: dict[str, str]) -> None:
        self.parameters = parameters

    def log_metrics(self, values: dict[str, float], step: int) -> None:
        self.metrics.append((step, values))

    def end(self) -> None:
        self.ended = True


@pytest.fixture
def comet(monkeypatch) -> list[Experiment]:
    experiments: list[Experiment] = []

    def start(**options: Any) -> Experiment:
        experiments.append(Experiment(options))
        return experiments[-1]

    module = types.ModuleType("comet_ml")
    module.__spec__ = importlib.machinery.ModuleSpec("comet_ml", None)
    module.start = start  # type: ignore[attr-defined]
    module.ExperimentConfig = dict  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "comet_ml", module)
    monkeypatch.setenv("COMET_API_KEY", "key")
    return experiments


def test_comet_gets_figures_and_goes_on_in_the_same_experiment_when_resumed(
    tmp_path: Path, comet: list[Experiment]
) -> None:
    settings = config(tensorboard=False, comet_project="candles")
    assert not tell(tmp_path, settings, {1: {"loss": 2.0}})
    assert not tell(tmp_path, settings, {2: {"loss": 1.0}})
    first, second = comet
    assert (first.started["mode"], first.started["experiment_key"]) == ("create", None)
    assert (second.started["mode"], second.started["experiment_key"]) == ("get", "a1b2")
    assert first.started["project_name"] == "candles"
    assert first.parameters["name"] == "trial"
    assert (first.metrics, second.metrics) == ([(1, {"loss": 2.0})], [(2, {"loss": 1.0})])
    assert first.ended
    assert second.ended


def test_comet_is_asked_to_collect_nothing_by_itself(tmp_path: Path, comet: list[Experiment]) -> None:
    tell(tmp_path, config(tensorboard=False, comet_project="candles"), {1: {"loss": 2.0}})
    collected = comet[0].started["experiment_config"]
    assert not any(value for name, value in collected.items() if name != "name")
    assert {"log_code", "log_git_patch", "log_env_details"} <= set(collected)


def test_comet_without_a_key_says_where_it_is_read(tmp_path: Path, comet: list[Experiment], monkeypatch) -> None:
    monkeypatch.delenv("COMET_API_KEY")
    with pytest.raises(ConfigError, match="COMET_API_KEY"):
        open_trackers(config(comet_project="candles"), tmp_path)
