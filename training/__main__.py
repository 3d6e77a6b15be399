"""Command line of the trainer: `python -m training --help`."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import KronosError
from training.errors import RunError, TrainingError
from training.evaluation.tasks.presets import TASKS
from training.run.config import STAGES
from training.run.config_file import read_config
from training.run.folder import RunFolder, Status
from training.run.launch import create_run, open_run, run_training, select_stage
from training.run.terminal import (
    is_first_process,
    preflight_text,
    report_text,
    show_count,
    show_progress,
    status_line,
    write_log,
)

if TYPE_CHECKING:
    from engine.predictor import KronosPredictor
    from training.evaluation.cutoffs import Cutoff

Arguments = argparse.Namespace
RECIPES = Path(__file__).parent / "recipes"
REPRODUCIBLE = ("kronos-nano",)
NETWORK = ("model", "--tokenizer", "--threads")
SAMPLING = ("--lookback", "--horizon", "--samples", "--temperature", "--top-p", "--drift")


def main(argv: list[str] | None = None) -> int:
    """Run one command and return the exit code: 0, or 2 with a line that says what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    subparsers = parser.add_subparsers(dest="command", required=True)
    for name, (action, text, *names) in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=text, description=text)
        subparser.set_defaults(action=action)
        for argument in names:
            # `--out!` is required, `--cutoffs=60` has another default.
            flag, _, default = argument.rstrip("!").partition("=")
            changes = {"default": default} if default else {"required": True} if argument.endswith("!") else {}
            subparser.add_argument(flag, **ARGUMENTS[flag] | changes)
    arguments = parser.parse_args(argv)
    try:
        arguments.action(arguments)
    except (TrainingError, KronosError, OSError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    return 0


def prepare(arguments: Arguments) -> None:
    """Prepare the corpus and print the sizes of its splits."""
    from training.fit.preparing import prepare as prepare_corpus
    from training.run.footprint import check_memory
    from training.run.preflight import preflight

    config = read_config(arguments.config, arguments.set)
    check_memory(config)
    with tempfile.TemporaryDirectory() as folder:
        run = create_run(config, arguments.out or Path(folder))
        print(preflight_text(preflight(prepare_corpus(config, run.prepared), config)))


def train(arguments: Arguments) -> None:
    """Train one stage, or all of the config."""
    from training.run.footprint import check_memory

    config = read_config(arguments.config, arguments.set)
    config = config if arguments.command == "all" else select_stage(config, arguments.command)
    check_memory(config)
    _execute(create_run(config, arguments.out))


def reproduce(arguments: Arguments) -> None:
    """Execute the runs that made a model, each from the result of the one before, until one is paused."""
    paths = json.dumps([str(arguments.data / "*" / "*.parquet")])
    settings = [f"data.paths={paths}"]
    for recipe in sorted((RECIPES / arguments.recipe).glob("*.yaml")):
        absent = tuple(f"{stage}." for stage in STAGES if stage not in read_config(recipe, settings).stages)
        overrides = [setting for setting in arguments.set if not setting.startswith(absent)]
        run = create_run(read_config(recipe, [*settings, *overrides]), arguments.out / recipe.stem)
        if _execute(run).state != "finished":
            return
        settings = [f"data.paths={paths}", f"base.model={run.export}"]


def cluster(arguments: Arguments) -> None:
    """Execute a run on a Ray cluster."""
    from training.run.cluster import run_on_cluster

    run = open_run(arguments.run)
    with show_progress(run):
        status = run_on_cluster(run, arguments.workers, arguments.address)
    _print_end(run, status)


def _execute(run: RunFolder) -> Status:
    with write_log(run), show_progress(run):
        status = run_training(run)
    _print_end(run, status)
    return status


def _print_end(run: RunFolder, status: Status) -> None:
    """Print the end of a run, or raise its failure."""
    if status.error is not None and status.state == "failed":
        raise RunError(status.error)
    if not is_first_process():
        return
    for note in status.notes:
        print(f"- {note}")
    if status.state == "paused":
        print(f"Paused at {status.phase}, step {status.step:,}. Resume: python -m training resume {run.path}")
    if run.report.exists():
        print(report_text(json.loads(run.report.read_text(encoding="utf-8"))))
    if status.state == "finished":
        print(f"Result: {run.export}")


def print_status(arguments: Arguments) -> None:
    """Print the status of a run."""
    status = open_run(arguments.run).status()
    print(f"{status.state}: {status_line(status)}")
    if status.error is not None:
        print(status.error)


def export(arguments: Arguments) -> None:
    """Write a result in half precision."""
    from training.run.export import export_checkpoint

    export_checkpoint(arguments.source, arguments.out)


def push(arguments: Arguments) -> None:
    """Upload a result to the Hub."""
    from training.run.export import push as push_result

    print(*push_result(arguments.run, arguments.repo, private=not arguments.public), sep="\n")


def curves(arguments: Arguments) -> None:
    """Plot the losses of runs."""
    from training.run.curves import draw_curves

    draw_curves(arguments.runs, arguments.out)


def evaluate(arguments: Arguments) -> None:
    """Score a model and the baselines at many cutoffs."""
    from training.evaluation.command import describe, evaluate, write_scores
    from training.evaluation.kronos import KronosForecaster

    predictor, sampling = _load_model(arguments), _sampling(arguments)
    model = KronosForecaster(predictor.name, predictor, arguments.samples, **sampling)
    cutoffs = _pick_cutoffs(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.out.with_suffix(".parts") if arguments.out else Path(temporary)
        report = evaluate(model, cutoffs, folder, refit=arguments.refit, on_step=partial(show_count, "batch"))
        if arguments.out:
            write_scores(report, arguments.out)
        print(describe(report, cutoffs))


def recalibrate(arguments: Arguments) -> None:
    """Fit factors for the width of bands, and print scores before and after."""
    from training.evaluation.kronos import KronosForecaster
    from training.evaluation.spread import learn, table, write_factors

    predictor, sampling = _load_model(arguments), _sampling(arguments)
    cutoffs = _pick_cutoffs(arguments)
    forecaster = KronosForecaster(predictor.name, predictor, arguments.samples, **sampling)
    factors = learn(forecaster, cutoffs, **sampling, on_cutoffs=lambda n: show_count("cutoff", n, len(cutoffs)))
    write_factors(factors, arguments.out)
    print(table(factors).round(3).to_string())
    if missing := sorted({cutoff.group for cutoff in cutoffs} - set(factors)):
        print(f"Too few cutoffs to fit: {', '.join(missing)}")


def judge(arguments: Arguments) -> None:
    """Test whether a model meets the targets of the bundled one."""
    from training.evaluation.judge.command import run

    run(arguments, partial(show_count, "batch"))


def task(arguments: Arguments) -> None:
    """Repeat a task of the paper."""
    from training.evaluation.tasks.outcome import describe
    from training.evaluation.tasks.run import run

    predictor, options = _load_model(arguments), {name: getattr(arguments, name) for name in ("split", "count", "seed")}
    with tempfile.TemporaryDirectory() as folder:
        paths, out = arguments.data.glob("*/*.parquet"), arguments.out or Path(folder)
        print(describe(run(arguments.name, predictor, paths, out, **options, on_step=partial(show_count, "batch"))))


def _load_model(arguments: Arguments) -> KronosPredictor:
    import torch

    from engine.predictor import KronosPredictor

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    return KronosPredictor.from_pretrained(arguments.model, tokenizer=arguments.tokenizer)


def _sampling(arguments: Arguments) -> dict[str, Any]:
    from training.evaluation.kronos import is_driftless

    driftless = is_driftless(arguments.drift, arguments.model)
    return {"temperature": arguments.temperature, "top_p": arguments.top_p, "driftless": driftless}


def _pick_cutoffs(arguments: Arguments) -> list[Cutoff]:
    from training.evaluation.command import cutoffs

    files = arguments.data.glob("*/*.parquet")
    lengths = {"lookback": arguments.lookback, "horizon": arguments.horizon}
    return cutoffs(files, arguments.split, **lengths, per_group=arguments.cutoffs)


ARGUMENTS: dict[str, dict[str, Any]] = {
    "config": {"type": Path, "help": "YAML file, see training/recipes/example.yaml"},
    "--set": {"nargs": "+", "default": [], "metavar": "FIELD=VALUE", "help": "settings to override"},
    "--out": {"type": Path, "help": "folder or file of the result; repeat the command to continue there"},
    "run": {"type": Path, "help": "folder of the run"},
    "runs": {"type": Path, "nargs": "+", "help": "folders of runs"},
    "--workers": {"type": int, "help": "number of processes"},
    "--address": {"help": "of the cluster, such as ray://head:10001; none starts Ray here"},
    "source": {"type": Path, "help": "folder of a run, or of a checkpoint such as RUN/predictor/best"},
    "repo": {"help": "namespace/name; its tokenizer goes to namespace/name-tokenizer"},
    "--public": {"action": "store_true", "help": "make new repositories public"},
    "recipe": {"choices": REPRODUCIBLE, "help": "which model"},
    "name": {"choices": list(TASKS), "help": "which task"},
    "model": {"help": "registry name, Hub id or folder"},
    "--tokenizer": {"help": "Hub id or folder, if the registry does not know the model's"},
    "--threads": {"type": int, "help": "CPU threads"},
    "data": {"type": Path, "help": "folder of <market>/<interval>.parquet; for judge also a CSV or Parquet file"},
    "--data": {"type": Path, "help": "folder of <market>/<interval>.parquet"},
    "--split": {"help": "use the rows with this value of the column split"},
    "--cutoffs": {"type": int, "help": "most cutoffs per market and interval"},
    "--seed": {"type": int, "default": 0, "help": "of cutoffs, paths and networks"},
    "--no-refit": {"dest": "refit", "action": "store_false", "help": "fit baselines once per series"},
    "--count": {"type": int, "help": "most cutoffs or sequences per file, or trading days"},
    "--lookback": {"type": int, "default": 400, "help": "candles of history"},
    "--horizon": {"type": int, "default": 24, "help": "candles to forecast"},
    "--samples": {"type": int, "default": 100, "help": "paths per forecast"},
    "--temperature": {"type": float, "default": 1.0, "help": "sampling temperature"},
    "--top-p": {"type": float, "default": 1.0, "help": "sampling top-p"},
    "--drift": {"choices": ("recommended", "kept", "removed"), "default": "recommended", "help": "drift of the paths"},
    "--groups": {"nargs": "+", "default": (), "metavar": "MARKET/INTERVAL", "help": "patterns such as fx/*"},
    "--tail": {"type": float, "default": 0.1, "help": "share of the train candles that is the last stretch"},
    "--weights": {"choices": ("trained", "random"), "default": "trained", "help": "random is a negative control"},
    "--time": {"choices": ("kept", "shuffled"), "default": "kept", "help": "shuffled history is a negative control"},
    "--pictures": {"type": Path, "help": "folder for plots of ten varied forecasts and the ten worst"},
}
COMMANDS: dict[str, tuple[Any, ...]] = {  # action, help, arguments
    "prepare": (prepare, "read the candles, split them, and print the splits", "config", "--set", "--out"),
    "tokenizer": (train, "train only the tokenizer", "config", "--set", "--out!"),
    "predictor": (train, "train only the predictor", "config", "--set", "--out!"),
    "all": (train, "train the stages of the config, score the result and export it", "config", "--set", "--out!"),
    "reproduce": (reproduce, "repeat the training of the bundled model", "recipe", "--data!", "--set", "--out!"),
    "resume": (lambda a: _execute(open_run(a.run)), "resume a run where it stopped", "run"),
    "cluster": (cluster, "execute a run, on shared storage, by a Ray cluster", "run", "--workers!", "--address"),
    "pause": (lambda a: open_run(a.run).request_stop("pause"), "stop a run, to be resumed later", "run"),
    "stop": (lambda a: open_run(a.run).request_stop("keep"), "end training and keep the best checkpoint", "run"),
    "status": (print_status, "print the status of a run", "run"),
    "export": (export, "write a result in half precision", "source", "--out!"),
    "push": (push, "upload a run's result to the Hugging Face Hub", "run", "repo", "--public"),
    "curves": (curves, "plot the losses of runs to an SVG, PNG or PDF file", "runs", "--out!"),
    "evaluate": (
        *(evaluate, "forecast at many cutoffs and compare with the baselines", *NETWORK, *SAMPLING),
        *("--data!", "--split=val", "--cutoffs=60", "--out", "--no-refit"),
    ),
    "recalibrate": (
        *(recalibrate, "fit factors for the width of bands, by market and interval", *NETWORK, "data", *SAMPLING),
        *("--split=val", "--cutoffs=200", "--out!"),
    ),
    "judge": (
        *(judge, "test whether a model meets the targets of the bundled one", *NETWORK, "data", *SAMPLING),
        *("--groups", "--tail", "--cutoffs=100", "--seed", "--weights", "--time", "--out", "--pictures"),
    ),
    "task": (
        *(task, "repeat a task of the paper, beside the published figures", "name", *NETWORK),
        *("--data!", "--split", "--count", "--seed", "--out"),
    ),
}

if __name__ == "__main__":
    sys.exit(main())
