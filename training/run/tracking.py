"""Trackers of a stage's figures besides `log.jsonl`: TensorBoard's event files, MLflow, Comet.

External services are used only if the config names them, and a tracker that fails never stops the training. MLflow is
used by its REST API, unchanged since 1.0: its package cannot be installed beside pandas 3 and pyarrow 26.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from training.errors import ConfigError, Message, message
from training.run.addresses import AddressPolicy
from training.run.config import RunConfig

EXPERIMENT = "kronos"
COMET = "https://www.comet.com"
TIMEOUT = 5.0  # seconds that training waits for a tracking server
MAX_PARAMS = 100  # of a request to MLflow
LONGEST_PARAM = 250  # characters


class Tracker(Protocol):
    """Takes the figures of a stage."""

    def figures(self, step: int, values: Mapping[str, float]) -> None:
        """Take the figures of `step`; a repeated step replaces the earlier one, if the service can."""

    def close(self) -> None:
        """Send what is buffered."""


Open = Callable[[int], Tracker]  # by the first step


def open_trackers(config: RunConfig, folder: Path, note: Callable[[Message], None] = lambda _: None) -> list[Tracker]:
    """Return the trackers of `config`; each connects with its first figures.

    Parameters
    ----------
    folder
        Of the stage: holds `tensorboard/`, and the service's id of the run, so that a resumed run continues there.
    note
        Called once for each tracker that fails and is left out.

    Raises ConfigError if MLflow's address is invalid or not allowed, or Comet is not allowed, not installed or has no
    key.
    """
    track, name = config.track, f"{config.name} {folder.name}"
    policy = AddressPolicy.from_environment()
    check_services(config, policy)
    opening: dict[str, Open] = {}
    if track.tensorboard:
        opening["TensorBoard"] = lambda step: _TensorBoard(folder / "tensorboard", step)
    if track.mlflow_uri is not None:
        uri = track.mlflow_uri
        credentials = _mlflow_credentials() if policy.gets_credentials(uri) else {}
        opening["MLflow"] = lambda _: _Mlflow(uri, name, config, folder / "mlflow.json", credentials)
    if track.comet_project is not None:
        project = track.comet_project
        _check_comet()
        opening["Comet"] = lambda _: _Comet(project, name, config, folder / "comet.json")
    return [_Guarded(service, opener, note) for service, opener in opening.items()]


class _Guarded:
    """Keeps a tracker's failure from the training."""

    def __init__(self, name: str, opener: Open, note: Callable[[Message], None]) -> None:
        self._name, self._open, self._note = name, opener, note
        self._tracker: Tracker | None = None
        self._failed = False

    def figures(self, step: int, values: Mapping[str, float]) -> None:
        def send() -> None:
            self._tracker = self._tracker or self._open(step)
            self._tracker.figures(step, values)

        self._try(send)

    def close(self) -> None:
        if self._tracker is not None:
            self._try(self._tracker.close)

    def _try(self, action: Callable[[], None]) -> None:
        if self._failed:
            return
        try:
            action()
        except Exception as error:  # noqa: BLE001 - a client may raise anything, and the training continues
            self._failed = True
            reason = (str(error) or type(error).__name__).splitlines()[0]
            self._note(
                message(
                    "{service} receives no figures of this run ({reason}): they are in log.jsonl.",
                    service=self._name,
                    reason=reason,
                )
            )


class _TensorBoard:
    """Event files, a new one each time a stage is resumed."""

    def __init__(self, folder: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        # A reader ignores what an earlier process wrote from this step on.
        self._writer = SummaryWriter(str(folder), purge_step=step)

    def figures(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class _Mlflow:
    """A run on an MLflow server."""

    def __init__(self, uri: str, name: str, config: RunConfig, id_file: Path, credentials: Mapping[str, Any]) -> None:
        import httpx2

        # A redirect may lead to a server that is not allowed, so it is an error.
        self._client = httpx2.Client(
            base_url=f"{uri.rstrip('/')}/api/2.0/mlflow/", timeout=TIMEOUT, follow_redirects=False, **credentials
        )
        self._run = _read_id(id_file, uri)
        if self._run:
            self._post("runs/update", run_id=self._run, status="RUNNING")
        else:
            self._run = self._create_run(name, config)
            _write_id(id_file, uri, self._run)

    def figures(self, step: int, values: Mapping[str, float]) -> None:
        metrics = [
            {"key": name, "value": value, "step": step, "timestamp": _milliseconds()}
            for name, value in values.items()
            if math.isfinite(value)  # JSON has no other numbers
        ]
        self._post("runs/log-batch", run_id=self._run, metrics=metrics)

    def close(self) -> None:
        self._post("runs/update", run_id=self._run, status="FINISHED", end_time=_milliseconds())
        self._client.close()

    def _create_run(self, name: str, config: RunConfig) -> str:
        answer = self._client.get("experiments/get-by-name", params={"experiment_name": EXPERIMENT})
        if answer.status_code == 404:
            experiment = self._post("experiments/create", name=EXPERIMENT)["experiment_id"]
        else:
            experiment = answer.raise_for_status().json()["experiment"]["experiment_id"]
        tags = [{"key": "mlflow.runName", "value": name}]
        created = self._post(
            "runs/create", experiment_id=experiment, start_time=_milliseconds(), run_name=name, tags=tags
        )
        run: str = created["run"]["info"]["run_id"]
        params = [{"key": key, "value": value[:LONGEST_PARAM]} for key, value in _settings(config).items()]
        for start in range(0, len(params), MAX_PARAMS):
            self._post("runs/log-batch", run_id=run, params=params[start : start + MAX_PARAMS])
        return run

    def _post(self, path: str, **body: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._client.post(path, json=body).raise_for_status().json()
        return answer


class _Comet:
    """An experiment of Comet: figures and settings, without all that its client would collect."""

    def __init__(self, project: str, name: str, config: RunConfig, id_file: Path) -> None:
        import comet_ml

        collected = ["log_code", "log_git_metadata", "log_git_patch", "log_env_details", "parse_args"]
        collected += ["auto_param_logging", "auto_metric_logging", "auto_output_logging", "auto_log_co2"]
        silent = comet_ml.ExperimentConfig(name=name, display_summary_level=0, **dict.fromkeys(collected, False))
        key = _read_id(id_file, project)
        self._experiment = comet_ml.start(
            project_name=project, experiment_key=key, mode="get" if key else "create", experiment_config=silent
        )
        if not key:
            self._experiment.log_parameters(_settings(config))
            _write_id(id_file, project, self._experiment.get_key())

    def figures(self, step: int, values: Mapping[str, float]) -> None:
        self._experiment.log_metrics(dict(values), step=step)

    def close(self) -> None:
        self._experiment.end()


def check_services(config: RunConfig, policy: AddressPolicy) -> None:
    """Raise a ConfigError that names the field if the config names a service that is not allowed."""
    if config.track.mlflow_uri is not None:
        policy.check("track.mlflow_uri", config.track.mlflow_uri)
    if config.track.comet_project is not None:
        policy.check("track.comet_project", os.environ.get("COMET_URL_OVERRIDE") or COMET)


def _mlflow_credentials() -> dict[str, Any]:
    """Return a client's options with the credentials of MLflow's own variables."""
    user, token = os.environ.get("MLFLOW_TRACKING_USERNAME"), os.environ.get("MLFLOW_TRACKING_TOKEN")
    options: dict[str, Any] = {}
    if user:
        options["auth"] = (user, os.environ.get("MLFLOW_TRACKING_PASSWORD", ""))
    if token:
        options["headers"] = {"Authorization": f"Bearer {token}"}
    return options


def _check_comet() -> None:
    if find_spec("comet_ml") is None:
        raise ConfigError(
            "track.comet_project needs Comet's client: install it with `pip install comet_ml`, or leave it out."
        )
    if not os.environ.get("COMET_API_KEY"):
        raise ConfigError("track.comet_project needs your Comet key in the environment variable COMET_API_KEY: set it.")


def _read_id(path: Path, service: str) -> str | None:
    """Return a service's id of the run, if it has one."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return str(stored["id"]) if stored["where"] == service else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_id(path: Path, service: str, run: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"where": service, "id": run}), encoding="utf-8")


def _milliseconds() -> int:
    return int(time.time() * 1000)


def _settings(config: RunConfig) -> dict[str, str]:
    """Return the settings that a service may receive; a store's address may contain a password."""
    return {name: str(value) for name, value in _flatten(config.model_dump()) if name != "data.url"}


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the settings of nested sections as `section.field`."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
