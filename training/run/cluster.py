"""A run on a Ray cluster: Ray Train starts the workers and joins them, the config and the work are the same as ever.

Every machine needs the same Python packages, and this project and the folder of the run at the same paths, on a file
system that all share: the run's folder is where checkpoints, logs and results go.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from training.errors import RunError, message
from training.run.config_file import read_saved_config
from training.run.folder import RunFolder, Status
from training.run.launch import ROOT, forget_old_request
from training.run.terminal import logged

LOCAL_STARTS = 5  # attempts: Ray gives its node half a minute to start, which no setting extends
OBJECT_STORE = 100_000_000  # bytes: workers exchange gradients by themselves, Ray passes on settings alone
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    # A busy machine takes longer than Ray's 15 to 60 seconds for its own processes to find each other.
    "RAY_agent_register_timeout_ms": "300000",
    "RAY_worker_register_timeout_seconds": "300",
    "RAY_gcs_server_port_wait_time_s": "300",
    "RAY_gcs_rpc_server_connect_timeout_s": "300",
    "RAY_py_gcs_connect_timeout_s": "300",
    "RAY_raylet_client_connect_timeout_milliseconds": "300000",
    "RAY_enable_metrics_collection": "0",
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "600",  # so do libraries on a shared file system
    "RAY_prestart_worker_first_driver": "0",  # nobody asks for more workers than are told
}


def run_on_cluster(run: RunFolder, workers: int, address: str | None = None) -> Status:
    """Do the work of a run with `workers` processes of a Ray cluster, one GPU each where it has that many.

    Parameters
    ----------
    address
        Of the cluster, such as `ray://head:10001` or `auto`; None starts Ray on this machine and stops it afterwards.

    Raises
    ------
    RunError
        Ray is not installed, the cluster cannot be reached, or its workers ended before they could say why.
    """
    os.environ.update(QUIET)
    try:
        import ray
        from ray.train import FailureConfig, ScalingConfig
        from ray.train import RunConfig as RayConfig
        from ray.train.torch import TorchTrainer
    except ImportError as error:
        raise RunError(
            message(
                "A cluster needs Ray ({reason}): install it with `pip install -r requirements-cluster.txt`.",
                reason=str(error),
            )
        ) from error
    config = read_saved_config(run.config)
    forget_old_request(run)
    gpus = _connect(ray, workers, address) >= workers and config.machine.device in {None, "cuda"}
    try:
        trainer = TorchTrainer(
            _work,
            train_loop_config={"folder": str(run.path.resolve())},
            scaling_config=ScalingConfig(num_workers=workers, use_gpu=gpus),
            run_config=RayConfig(
                name=run.path.resolve().name,
                storage_path=str(run.path.resolve() / "ray"),
                failure_config=FailureConfig(max_failures=0),
            ),
        )
        trainer.fit()
    except Exception as error:
        raise RunError(
            message("The cluster's workers ended: {reason}", reason=str(error).strip().rpartition("\n")[2])
        ) from error
    finally:
        ray.shutdown()
    return run.status()


def _connect(ray: Any, workers: int, address: str | None) -> float:
    """Join the cluster, or start one here, and return the GPUs it has."""
    local = {"num_cpus": workers, "include_dashboard": False, "object_store_memory": OBJECT_STORE}
    options: dict[str, Any] = local if address is None else {}
    attempts = LOCAL_STARTS if address is None else 1
    for attempt in range(1, attempts + 1):
        try:
            ray.init(
                address=address or "local",
                logging_level="error",
                log_to_driver=False,  # how the run goes stands in its folder; the rest is Ray's talk to itself
                runtime_env={"env_vars": {"PYTHONPATH": str(ROOT), **QUIET}},
                **options,
            )
            return float(ray.cluster_resources().get("GPU", 0))
        except Exception as error:  # Ray raises `Exception` itself when it does not get up
            ray.shutdown()
            if attempt == attempts:
                where = address or "local"
                raise RunError(
                    message("The Ray cluster {address} cannot be reached ({reason}).", address=where, reason=str(error))
                ) from error
    raise AssertionError("the last attempt returns or raises")


def _work(settings: dict[str, str]) -> None:
    """Do one worker's part; Ray has joined the workers already."""
    from training.fit.distributed import World
    from training.run.execute import execute

    run = RunFolder(Path(settings["folder"]))
    with logged(run):
        execute(run, World.from_environment(read_saved_config(run.config).machine.device))
