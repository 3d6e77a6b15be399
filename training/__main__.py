"""Command line of the trainer: `python -m training --help`."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from engine.errors import KronosError
from training.errors import RunError, TrainingError, message
from training.run.config import STAGES, StageName
from training.run.config_file import read_config
from training.run.folder import RunFolder, Status
from training.run.launch import begin, only, open_run, work
from training.run.report import said
from training.run.terminal import first_process, line, logged, preflight_text, report_text, shown

Command = Callable[[argparse.Namespace], None]
RECIPES = Path(__file__).parent / "recipes"
REPRODUCIBLE = ("kronos-nano",)


def main(argv: list[str] | None = None) -> int:
    """Run one command and return the exit code: 0, or 2 with one line that says what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for add in (_add_training, _add_requests, _add_results, _add_evaluate, _add_judge, _add_recalibrate, _add_task):
        add(commands)
    arguments = parser.parse_args(argv)
    command: Command = arguments.action
    try:
        command(arguments)
    except (TrainingError, KronosError, OSError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    return 0


def _add_training(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    prepare = commands.add_parser("prepare", help="read the candles, split them, and say what there is to learn from")
    tokenizer = commands.add_parser("tokenizer", help="train the tokenizer alone")
    predictor = commands.add_parser("predictor", help="train the predictor alone")
    everything = commands.add_parser("all", help="train what the config has, judge it, and export the result")
    for parser, action in ((prepare, _prepare), (tokenizer, _train), (predictor, _train), (everything, _train)):
        parser.set_defaults(action=action)
        parser.add_argument("config", type=Path, help="YAML file, see training/recipes/example.yaml")
        parser.add_argument("--set", nargs="+", default=[], metavar="FIELD=VALUE", help="settings to override")
        folder = "begin a run in this folder, without training" if action is _prepare else "folder of the run"
        parser.add_argument("--out", type=Path, required=action is _train, help=folder)
    reproduce = commands.add_parser("reproduce", help="repeat the training of the bundled model")
    reproduce.add_argument("model", choices=REPRODUCIBLE, help="which one")
    reproduce.add_argument("--data", type=Path, required=True, help="folder of <market>/<interval>.parquet")
    reproduce.add_argument("--set", nargs="+", default=[], metavar="FIELD=VALUE", help="settings to override")
    reproduce.add_argument("--out", type=Path, required=True, help="folder of its runs")
    reproduce.set_defaults(action=_reproduce)
    resume = commands.add_parser("resume", help="go on with a run where it stopped")
    resume.add_argument("run", type=Path, help="folder of the run")
    resume.set_defaults(action=_resume)
    cluster = commands.add_parser("cluster", help="do a run's work on a Ray cluster")
    cluster.add_argument("run", type=Path, help="folder of a run, on storage that every machine shares")
    cluster.add_argument("--workers", type=int, required=True, help="processes in all")
    cluster.add_argument("--address", help="of the cluster, such as ray://head:10001; none starts Ray here")
    cluster.set_defaults(action=_cluster)


def _add_requests(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    for name, text, action in (
        ("pause", "ask a run to end after its present step, to be resumed later", _pause),
        ("stop", "ask a run to end its training and keep the best so far", _stop),
        ("status", "say where a run is", _status),
    ):
        parser = commands.add_parser(name, help=text)
        parser.add_argument("run", type=Path, help="folder of the run")
        parser.set_defaults(action=action)


def _add_results(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    export = commands.add_parser("export", help="write a result in half precision, to be shipped")
    export.add_argument("source", type=Path, help="folder of a run, or of a checkpoint such as RUN/predictor/best")
    export.add_argument("--out", type=Path, required=True, help="folder of the copy")
    export.set_defaults(action=_export)
    push = commands.add_parser("push", help="put a run's result on the Hugging Face Hub")
    push.add_argument("run", type=Path, help="folder of the run")
    push.add_argument("repo", help="namespace/name; its tokenizer goes to namespace/name-tokenizer")
    push.add_argument("--public", action="store_true", help="make new repositories public")
    push.set_defaults(action=_push)
    curves = commands.add_parser("curves", help="draw the losses of runs")
    curves.add_argument("runs", type=Path, nargs="+", help="folders of runs")
    curves.add_argument("--out", type=Path, required=True, help="SVG, PNG or PDF file")
    curves.set_defaults(action=_curves)


def _add_evaluate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("evaluate", help="forecast at many cutoffs and compare with the baselines")
    _ask_for_model(parser)
    _ask_for_paths(parser)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of <market>/<interval>.parquet with a column split"
    )
    parser.add_argument("--split", default="val", help="which rows to judge on")
    parser.add_argument("--cutoffs", type=int, default=60, help="most cutoffs a file")
    parser.add_argument(
        "--out",
        type=Path,
        help="CSV for the scores of every cutoff; what it is made of is kept beside it, to go on with",
    )
    parser.add_argument(
        "--no-refit", dest="refit", action="store_false", help="fit baselines once a series, at its first cutoff"
    )
    parser.set_defaults(action=_evaluate)


def _add_recalibrate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("recalibrate", help="learn how much wider bands should be, by market and interval")
    _ask_for_model(parser)
    _ask_for_paths(parser)
    parser.add_argument("data", type=Path, help="folder of <market>/<interval>.parquet with a column split")
    parser.add_argument("--split", default="val", help="which rows to learn from")
    parser.add_argument("--cutoffs", type=int, default=200, help="most cutoffs a file")
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the factors")
    parser.set_defaults(action=_recalibrate)


def _add_judge(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("judge", help="say whether a model reaches what the bundled one has to reach")
    _ask_for_model(parser)
    _ask_for_paths(parser)
    parser.add_argument("data", type=Path, help="folder of <market>/<interval>.parquet, or a CSV or Parquet file")
    parser.add_argument("--groups", nargs="+", default=(), metavar="MARKET/INTERVAL", help="patterns such as fx/*")
    parser.add_argument("--tail", type=float, default=0.1, help="share of the train candles that is their last stretch")
    parser.add_argument("--cutoffs", type=int, default=100, help="most cutoffs a market and interval, of each block")
    parser.add_argument("--seed", type=int, default=0, help="of cutoffs and paths")
    parser.add_argument("--weights", choices=("trained", "random"), default="trained", help="random must fail")
    parser.add_argument("--time", choices=("kept", "shuffled"), default="kept", help="order of the history shown")
    parser.add_argument("--out", type=Path, help="folder for the table and all scores; the same again goes on there")
    parser.add_argument("--pictures", type=Path, help="folder for ten varied forecasts and the ten worst, drawn")
    parser.set_defaults(action=_judge)


def _add_task(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from training.evaluation.tasks.presets import TASKS

    parser = commands.add_parser("task", help="do a task of the paper, its figures beside")
    parser.add_argument("name", choices=list(TASKS), help="which one")
    _ask_for_model(parser)
    parser.add_argument("--data", type=Path, required=True, help="folder of <market>/<interval>.parquet")
    parser.add_argument("--split", help="which rows to judge on, by a column split; all, unless given")
    parser.add_argument("--count", type=int, help="most cutoffs or sequences a file, or days that are traded")
    parser.add_argument("--seed", type=int, default=0, help="of cutoffs, paths and networks")
    parser.add_argument("--out", type=Path, help="folder to keep forecasts in, to go on with")
    parser.set_defaults(action=_task)


def _ask_for_model(parser: argparse.ArgumentParser) -> None:
    """Add what says which model forecasts."""
    parser.add_argument("model", help="registry name, Hub id or folder")
    parser.add_argument("--tokenizer", help="Hub id or folder, where the registry does not know the model's own")
    parser.add_argument("--threads", type=int, help="CPU threads")


def _ask_for_paths(parser: argparse.ArgumentParser) -> None:
    """Add what says how it forecasts."""
    parser.add_argument("--lookback", type=int, default=400, help="candles of history")
    parser.add_argument("--horizon", type=int, default=24, help="candles to forecast")
    parser.add_argument("--samples", type=int, default=100, help="paths a forecast")
    parser.add_argument("--temperature", type=float, default=1.0, help="sampling temperature")
    parser.add_argument("--top-p", type=float, default=1.0, help="sampling top-p")
    parser.add_argument(
        "--drift",
        choices=("recommended", "kept", "removed"),
        default="recommended",
        help="of the paths; recommended is as the model's own settings say",
    )


def _prepare(arguments: argparse.Namespace) -> None:
    from training.fit.preparing import prepare
    from training.run.footprint import check_memory
    from training.run.preflight import preflight

    config = read_config(arguments.config, arguments.set)
    check_memory(config)
    with tempfile.TemporaryDirectory() as folder:
        run = begin(config, arguments.out or Path(folder))
        print(preflight_text(preflight(prepare(config, run.prepared), config)))


def _train(arguments: argparse.Namespace) -> None:
    from training.run.footprint import check_memory

    config = read_config(arguments.config, arguments.set)
    stage: StageName | None = None if arguments.command == "all" else arguments.command
    config = only(config, stage) if stage else config
    check_memory(config)
    _work(begin(config, arguments.out))


def _reproduce(arguments: argparse.Namespace) -> None:
    """Do the runs that made a model, each from the result of the one before, until one is paused."""
    paths = json.dumps([str(arguments.data / "*" / "*.parquet")])
    settings = [f"data.paths={paths}"]
    for recipe in sorted((RECIPES / arguments.model).glob("*.yaml")):
        left_out = {f"{stage}." for stage in STAGES} - {f"{stage}." for stage in read_config(recipe, settings).stages}
        wanted = [setting for setting in arguments.set if not setting.startswith(tuple(left_out))]
        run = begin(read_config(recipe, [*settings, *wanted]), arguments.out / recipe.stem)
        if _work(run).state != "finished":
            return
        settings = [f"data.paths={paths}", f"base.model={run.export}"]


def _resume(arguments: argparse.Namespace) -> None:
    _work(open_run(arguments.run))


def _work(run: RunFolder) -> Status:
    with logged(run), shown(run):
        status = work(run)
    _tell(run, status)
    return status


def _cluster(arguments: argparse.Namespace) -> None:
    from training.run.cluster import run_on_cluster

    run = open_run(arguments.run)
    with shown(run):
        status = run_on_cluster(run, arguments.workers, arguments.address)
    _tell(run, status)


def _tell(run: RunFolder, status: Status) -> None:
    """Print how a run ended; a failure is raised, to be told as any other error."""
    if status.error is not None and status.state == "failed":
        raise RunError(message("{reason}", reason=said(status.error)))
    if not first_process():
        return
    for note in status.notes:
        print(f"- {said(note)}")
    if status.state == "paused":
        print(f"Paused at {status.phase}, step {status.step:,}. Go on: python -m training resume {run.path}")
    if run.report.exists():
        print(report_text(json.loads(run.report.read_text(encoding="utf-8"))))
    if status.state == "finished":
        print(f"Result: {run.export}")


def _pause(arguments: argparse.Namespace) -> None:
    open_run(arguments.run).ask("pause")


def _stop(arguments: argparse.Namespace) -> None:
    open_run(arguments.run).ask("keep")


def _status(arguments: argparse.Namespace) -> None:
    status = open_run(arguments.run).status()
    print(f"{status.state}: {line(status)}")
    if status.error is not None:
        print(said(status.error))


def _export(arguments: argparse.Namespace) -> None:
    from training.run.export import export_checkpoint

    export_checkpoint(arguments.source, arguments.out)


def _push(arguments: argparse.Namespace) -> None:
    from training.run.export import push

    for address in push(arguments.run, arguments.repo, private=not arguments.public):
        print(address)


def _curves(arguments: argparse.Namespace) -> None:
    from training.run.curves import draw_curves

    draw_curves(arguments.runs, arguments.out)


def _evaluate(arguments: argparse.Namespace) -> None:
    import torch

    from engine.predictor import KronosPredictor
    from training.evaluation.command import cutoffs, describe, evaluate, write_scores
    from training.evaluation.kronos import is_driftless

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    predictor = KronosPredictor.from_pretrained(arguments.model, tokenizer=arguments.tokenizer)
    places = cutoffs(
        arguments.data.glob("*/*.parquet"),
        arguments.split,
        lookback=arguments.lookback,
        horizon=arguments.horizon,
        per_group=arguments.cutoffs,
    )
    with tempfile.TemporaryDirectory() as folder:
        report = evaluate(
            predictor,
            places,
            arguments.out.with_suffix(".parts") if arguments.out else Path(folder),
            samples=arguments.samples,
            temperature=arguments.temperature,
            top_p=arguments.top_p,
            driftless=is_driftless(arguments.drift, arguments.model),
            refit=arguments.refit,
            on_step=_show_batches,
        )
        if arguments.out:
            write_scores(report, arguments.out)
        print(describe(report, places))


def _recalibrate(arguments: argparse.Namespace) -> None:
    import torch

    from engine.predictor import KronosPredictor
    from training.evaluation.command import cutoffs
    from training.evaluation.kronos import KronosForecaster, is_driftless
    from training.evaluation.spread import learn, table, write_factors

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    predictor = KronosPredictor.from_pretrained(arguments.model, tokenizer=arguments.tokenizer)
    made = {
        "temperature": arguments.temperature,
        "top_p": arguments.top_p,
        "driftless": is_driftless(arguments.drift, arguments.model),
    }
    places = cutoffs(
        arguments.data.glob("*/*.parquet"),
        arguments.split,
        lookback=arguments.lookback,
        horizon=arguments.horizon,
        per_group=arguments.cutoffs,
    )
    model = KronosForecaster(predictor.name, predictor, arguments.samples, **made)
    found = learn(model, places, **made, on_cutoffs=lambda done: _show_cutoffs(done, len(places)))
    write_factors(found, arguments.out)
    print(table(found).round(3).to_string())
    if short := sorted({one.group for one in places} - set(found)):
        print(f"Too few cutoffs to learn from: {', '.join(short)}")


def _show_cutoffs(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\rcutoff {done} of {total}", end="\n" if done == total else "", file=sys.stderr)


def _judge(arguments: argparse.Namespace) -> None:
    from training.evaluation.judge.command import run

    run(arguments, _show_batches)


def _task(arguments: argparse.Namespace) -> None:
    import torch

    from engine.predictor import KronosPredictor
    from training.evaluation.tasks.outcome import describe
    from training.evaluation.tasks.run import run

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    predictor = KronosPredictor.from_pretrained(arguments.model, tokenizer=arguments.tokenizer)
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(
            arguments.name,
            predictor,
            arguments.data.glob("*/*.parquet"),
            arguments.out or Path(folder),
            split=arguments.split,
            count=arguments.count,
            seed=arguments.seed,
            on_step=_show_batches,
        )
    print(describe(outcome))


def _show_batches(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\rbatch {done} of {total}", end="\n" if done == total else "", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
