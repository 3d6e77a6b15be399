"""Executes a run on a Ray cluster: Ray Train starts and connects the workers, which do the same work as ever.

Every machine needs the same Python packages, and this project and the run's folder at the same paths on a shared file
system, since checkpoints, logs and results are written to the run's folder.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from training.errors import RunError
from training.run.config_file import read_saved_config
from training.run.folder import RunFolder, Status
from training.run.launch import ROOT, drop_old_request
from training.run.terminal import write_log

LOCAL_ATTEMPTS = 5  # Ray gives its node half a minute to start, which no setting extends
OBJECT_STORE = 100_000_000  # bytes: workers exchange gradients directly, Ray passes only settings
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    # On a busy machine Ray's processes take longer than its 15 to 60 seconds to find each other.
    "RAY_agent_register_timeout_ms": "300000",
    "RAY_worker_register_timeout_seconds": "300",
    "RAY_gcs_server_port_wait_time_s": "300",
    "RAY_gcs_rpc_server_connect_timeout_s": "300",
    "RAY_py_gcs_connect_timeout_s": "300",
    "RAY_raylet_client_connect_timeout_milliseconds": "300000",
    "RAY_enable_metrics_collection": "0",
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "600",  # libraries on a shared file system load slowly, too
    "RAY_prestart_worker_first_driver": "0",
}


def run_on_cluster(run: RunFolder, workers: int, address: str | None = None) -> Status:
    """Execute a run with `workers` processes of a Ray cluster, one GPU each if the cluster has that many.

    Parameters
    ----------
    address
        Of the cluster, such as `ray://head:10001` or `auto`; None starts Ray on this machine and stops it afterwards.

    Raises RunError if Ray is not installed, the cluster cannot be reached, or its workers failed.
    """
    os.environ.update(ENVIRONMENT)
    try:
        import ray
        from ray.train import FailureConfig, ScalingConfig
        from ray.train import RunConfig as RayConfig
        from ray.train.torch import TorchTrainer
    except ImportError as error:
        raise RunError(
            "A cluster needs Ray ({reason}): install it with `pip install -r requirements-cluster.txt`.",
            reason=str(error),
        ) from error
    device = read_saved_config(run.config).machine.device
    folder = run.path.resolve()
    drop_old_request(run)
    gpus = _connect(ray, workers, address) >= workers and device in {None, "cuda"}
    try:
        TorchTrainer(
            _work,
            train_loop_config={"folder": str(folder)},
            scaling_config=ScalingConfig(num_workers=workers, use_gpu=gpus),
            run_config=RayConfig(
                name=folder.name, storage_path=str(folder / "ray"), failure_config=FailureConfig(max_failures=0)
            ),
        ).fit()
    except Exception as error:
        reason = str(error).strip().rpartition("\n")[2]
        raise RunError("The cluster's workers failed: {reason}", reason=reason) from error
    finally:
        ray.shutdown()
    return run.status()


def _connect(ray: Any, workers: int, address: str | None) -> float:
    """Connect to the cluster, or start one here, and return its number of GPUs."""
    options: dict[str, Any] = {}
    if address is None:
        options = {"num_cpus": workers, "include_dashboard": False, "object_store_memory": OBJECT_STORE}
    for attempts_left in reversed(range(LOCAL_ATTEMPTS if address is None else 1)):
        try:
            ray.init(
                address=address or "local",
                logging_level="error",
                log_to_driver=False,  # the run's folder has its log
                runtime_env={"env_vars": {"PYTHONPATH": str(ROOT), **ENVIRONMENT}},
                **options,
            )
            return float(ray.cluster_resources().get("GPU", 0))
        except Exception as error:  # Ray raises `Exception` itself if it cannot start
            ray.shutdown()
            if not attempts_left:
                where, reason = address or "local", str(error)
                raise RunError(
                    "The Ray cluster {address} cannot be reached ({reason}).", address=where, reason=reason
                ) from error
    raise AssertionError("the last attempt returns or raises")


def _work(settings: dict[str, str]) -> None:
    """Do one worker's part; Ray has connected the workers."""
    from training.fit.distributed import World
    from training.run.execute import execute

    run = RunFolder(Path(settings["folder"]))
    with write_log(run):
        execute(run, World.from_environment(read_saved_config(run.config).machine.device))
