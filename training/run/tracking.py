"""Where a stage's figures go besides `log.jsonl`: TensorBoard's event files, MLflow, Comet.

Services outside are spoken to only where the config names them, and a tracker that fails never stops the training.
MLflow is spoken to by its REST API, which has stayed the same since 1.0: its package cannot be installed beside pandas
3 and pyarrow 26, and the last one that can does not import with today's protobuf.
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
TIMEOUT = 5.0  # seconds a tracking server may take: training waits for it
MOST_PARAMS = 100  # of one request to MLflow
LONGEST_PARAM = 250


class Tracker(Protocol):
    """Takes the figures of a stage as they come."""

    def figures(self, step: int, values: Mapping[str, float]) -> None:
        """Take the figures of `step`; a step that comes again replaces what was told of it, where that is possible."""

    def close(self) -> None:
        """Hand over what is still held back."""


Open = Callable[[int], Tracker]  # by the first step it will be told of


def open_trackers(config: RunConfig, folder: Path, note: Callable[[Message], None] = lambda _: None) -> list[Tracker]:
    """Return the trackers that `config` asks for; each is opened by its first figures.

    Parameters
    ----------
    folder
        Of the stage. It keeps `tensorboard/`, and under which id a service knows the run, so that a resumed one
        continues there.
    note
        Told once of each tracker that fails, which is then left out.

    Raises
    ------
    ConfigError
        MLflow's address is none or not allowed, or Comet is asked for and not allowed, not installed or has no key.
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
    """Keeps the trouble of a tracker away from the training."""

    def __init__(self, name: str, opener: Open, note: Callable[[Message], None]) -> None:
        self._name, self._open, self._note = name, opener, note
        self._tracker: Tracker | None = None
        self._lost = False

    def figures(self, step: int, values: Mapping[str, float]) -> None:
        def tell() -> None:
            self._tracker = self._tracker or self._open(step)
            self._tracker.figures(step, values)

        self._try(tell)

    def close(self) -> None:
        if self._tracker is not None:
            self._try(self._tracker.close)

    def _try(self, action: Callable[[], None]) -> None:
        if self._lost:
            return
        try:
            action()
        except Exception as error:  # noqa: BLE001 - a stranger's library raises what it likes; the training goes on
            self._lost = True
            reason = str(error) or type(error).__name__
            self._note(
                message(
                    "{service} takes no figures of this run ({reason}): they are in log.jsonl.",
                    service=self._name,
                    reason=reason.splitlines()[0],
                )
            )


class _TensorBoard:
    """Event files, one more each time a stage is taken up again."""

    def __init__(self, folder: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        # What an earlier process wrote from this step on was lost with it: a reader leaves it out.
        self._writer = SummaryWriter(str(folder), purge_step=step)

    def figures(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class _Mlflow:
    """A run on an MLflow server."""

    def __init__(self, uri: str, name: str, config: RunConfig, kept: Path, credentials: Mapping[str, Any]) -> None:
        import httpx2

        # A redirect leads to a server that nobody allowed: its answer is an error.
        self._client = httpx2.Client(
            base_url=f"{uri.rstrip('/')}/api/2.0/mlflow/", timeout=TIMEOUT, follow_redirects=False, **credentials
        )
        self._run = _kept(kept, uri)
        if self._run:
            self._post("runs/update", run_id=self._run, status="RUNNING")
        else:
            self._run = self._begin(name, config)
            _keep(kept, uri, self._run)

    def figures(self, step: int, values: Mapping[str, float]) -> None:
        metrics = [
            {"key": name, "value": value, "step": step, "timestamp": _milliseconds()}
            for name, value in values.items()
            if math.isfinite(value)  # JSON knows no other
        ]
        self._post("runs/log-batch", run_id=self._run, metrics=metrics)

    def close(self) -> None:
        self._post("runs/update", run_id=self._run, status="FINISHED", end_time=_milliseconds())
        self._client.close()

    def _begin(self, name: str, config: RunConfig) -> str:
        found = self._client.get("experiments/get-by-name", params={"experiment_name": EXPERIMENT})
        if found.status_code == 404:
            experiment = self._post("experiments/create", name=EXPERIMENT)["experiment_id"]
        else:
            experiment = found.raise_for_status().json()["experiment"]["experiment_id"]
        tags = [{"key": "mlflow.runName", "value": name}]
        begun = self._post(
            "runs/create", experiment_id=experiment, start_time=_milliseconds(), run_name=name, tags=tags
        )
        run: str = begun["run"]["info"]["run_id"]
        params = [{"key": key, "value": value[:LONGEST_PARAM]} for key, value in _settings(config).items()]
        for part in _parts(params, MOST_PARAMS):
            self._post("runs/log-batch", run_id=run, params=part)
        return run

    def _post(self, path: str, **body: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._client.post(path, json=body).raise_for_status().json()
        return answer


class _Comet:
    """An experiment of Comet: figures and settings, and nothing that its client would collect by itself."""

    def __init__(self, project: str, name: str, config: RunConfig, kept: Path) -> None:
        import comet_ml

        silent = comet_ml.ExperimentConfig(
            name=name,
            log_code=False,
            log_git_metadata=False,
            log_git_patch=False,
            log_env_details=False,
            parse_args=False,
            display_summary_level=0,
            auto_param_logging=False,
            auto_metric_logging=False,
            auto_output_logging=False,
            auto_log_co2=False,
        )
        key = _kept(kept, project)
        self._experiment = comet_ml.start(
            project_name=project, experiment_key=key, mode="get" if key else "create", experiment_config=silent
        )
        if not key:
            self._experiment.log_parameters(_settings(config))
            _keep(kept, project, self._experiment.get_key())

    def figures(self, step: int, values: Mapping[str, float]) -> None:
        self._experiment.log_metrics(dict(values), step=step)

    def close(self) -> None:
        self._experiment.end()


def check_services(config: RunConfig, policy: AddressPolicy) -> None:
    """Do nothing where a run may send its figures to all services that its config names.

    Raises
    ------
    ConfigError
        It may not; names the field.
    """
    if config.track.mlflow_uri is not None:
        policy.check("track.mlflow_uri", config.track.mlflow_uri)
    if config.track.comet_project is not None:
        policy.check("track.comet_project", os.environ.get("COMET_URL_OVERRIDE") or COMET)


def _mlflow_credentials() -> dict[str, Any]:
    """Return the options of a client that send what MLflow's own variables have."""
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
            message(
                "track.comet_project needs Comet's client: install it with `pip install comet_ml`, or leave it out."
            )
        )
    if not os.environ.get("COMET_API_KEY"):
        raise ConfigError(
            message("track.comet_project needs your Comet key in the environment variable COMET_API_KEY: set it.")
        )


def _kept(path: Path, where: str) -> str | None:
    """Return under which id the service at `where` knows the run, if it does."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        return str(known["id"]) if known["where"] == where else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(path: Path, where: str, run: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"where": where, "id": run}), encoding="utf-8")


def _milliseconds() -> int:
    return int(time.time() * 1000)


def _settings(config: RunConfig) -> dict[str, str]:
    """Return the settings that a service may know: a store's address can hold a password."""
    return {name: str(value) for name, value in _flat(config.model_dump()) if name != "data.url"}


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the settings of nested sections as `section.field`."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _parts(items: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
