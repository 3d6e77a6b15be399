"""How fast a forecast is: as a ratio to a plain loop in the same run, and beside what the machine could do at best.

Unasked: the shape of kronos-nano, in a minute or so. `--table`: the ratios that are promised, in half an hour or more.
Any of `--sizes --samples --lengths --series`: every combination of them. See docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch

from benchmarks import cases, machine, memory, reference, report, steps
from benchmarks.shapes import SHAPES, build
from benchmarks.timing import scaling_error, time_case
from benchmarks.work import model_bytes
from engine.errors import KronosError
from engine.packed import PRECISIONS
from engine.predictor import KronosPredictor
from engine.sampling import Sampling


def main(arguments: list[str] | None = None) -> None:
    """Measure what the arguments ask for."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    sampling = Sampling(options.temperature, options.top_k, options.top_p)
    try:
        if options.soak:
            record = _soak(options, sampling)
        elif options.steps:
            record = _time_steps(options, sampling)
        elif options.check_scaling:
            record = _check_scaling(options, sampling)
        else:
            record = _measure(options, sampling)
    except KronosError as error:
        sys.exit(str(error))
    if options.json:
        options.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    what = parser.add_argument_group("what to time")
    what.add_argument("--table", action="store_true", help="the cases whose ratios are promised")
    what.add_argument("--sizes", nargs="+", choices=SHAPES)
    what.add_argument("--samples", nargs="+", type=int, metavar="N", help="paths of each series")
    what.add_argument("--lengths", nargs="+", type=_lengths, metavar="HISTORY:HORIZON", help="in candles")
    what.add_argument("--series", nargs="+", type=int, metavar="N", help="series in one call")
    what.add_argument("--windows", nargs="+", choices=cases.WINDOWS, default=["exact", "fit"])
    what.add_argument("--stride", type=int, default=64, help="candles that the strided window drops at a time")
    what.add_argument("--temperature", type=float, default=1.0)
    what.add_argument("--top-k", type=int, default=0)
    what.add_argument("--top-p", type=float, default=0.9, help="the default of the published predict")
    what.add_argument("--weights", choices=PRECISIONS, default="float32", help="how the engine keeps them")
    what.add_argument("--compiled", action="store_true", help="torch.compile the engine; memory is not measured then")
    sampling = parser.add_argument_group("how to time it")
    sampling.add_argument("--threads", type=int, default=2)
    sampling.add_argument("--rounds", type=int, default=3, help="turns of engine and plain loop; medians are taken")
    sampling.add_argument(
        "--plain-steps",
        type=_steps,
        default=12,
        metavar="N|all",
        help="steps of the plain loop to run, evenly spaced; its time is scaled from them",
    )
    sampling.add_argument("--no-memory", action="store_true", help="leave out peak memory, a process a case and window")
    sampling.add_argument(
        "--reference", type=Path, metavar="PATH", help="a checkout of the published package to time as well"
    )
    sampling.add_argument("--json", type=Path, metavar="FILE", help="write everything measured")
    other = parser.add_argument_group("instead of timing")
    other.add_argument("--soak", type=int, metavar="N", help="forecast so often in one process and watch its memory")
    other.add_argument(
        "--steps", nargs="+", type=int, metavar="ROWS", help="how long one more candle of so many paths takes"
    )
    other.add_argument("--check-scaling", action="store_true", help="compare the scaled plain loop with the whole one")
    return parser


def _lengths(text: str) -> tuple[int, int]:
    history, _, horizon = text.partition(":")
    return int(history), int(horizon)


def _steps(text: str) -> int | None:
    return None if text == "all" else int(text)


def _plan(options: argparse.Namespace) -> list[cases.Case]:
    return [replace(case, stride=options.stride) for case in _cases(options)]


def _cases(options: argparse.Namespace) -> list[cases.Case]:
    if options.table:
        return cases.table(options.windows)
    if not any((options.sizes, options.samples, options.lengths, options.series)):
        return cases.quick(options.windows)
    return cases.grid(
        options.sizes or ["nano"],
        options.samples or [1, 5],
        options.lengths or [(400, 120)],
        options.series or [1],
        options.windows,
    )


def _measure(options: argparse.Namespace, sampling: Sampling) -> report.Record:
    roofs = cache(lambda size: machine.measure(model_bytes(SHAPES[size].model, options.weights)))
    predictors = cache(lambda size: build(SHAPES[size], options.weights, compiled=options.compiled))
    plain = predictors if options.weights == "float32" else cache(lambda size: build(SHAPES[size]))
    with_memory = not (options.no_memory or options.compiled)
    described = machine.describe(options.threads)
    plan, records = _plan(options), []
    for size in dict.fromkeys(case.size for case in plan):
        print(f"{size}: {report.machine_line(described, roofs(size))}", flush=True)
    print(f"\n{report.head()}")
    for case in plan:
        predictor = predictors(case.size)
        timing = time_case(
            predictor, plain(case.size), case, sampling, rounds=options.rounds, plain_steps=options.plain_steps
        )
        record = report.case_record(
            SHAPES[case.size],
            case,
            timing,
            roofs(case.size),
            plain_steps=options.plain_steps,
            weights=options.weights,
        )
        if with_memory:
            record["memory"] = {
                window: memory.measure(case, window, sampling, options.threads, options.weights)
                for window in case.windows
            }
        print("\n".join(report.lines(record)), flush=True)
        if options.compiled:
            print(f"  first runs, compiling: {report.first_runs(record)}", flush=True)
        if options.reference:
            record["reference"] = _compare(options, plain(case.size), case, sampling, record)
        records.append(record)
    notes = [*report.footnotes(records), *report.memory_notes(records)]
    print("\n" + "\n".join(notes))
    return {
        "machine": described,
        "weights": options.weights,
        "compiled": options.compiled,
        "roofs": {size: vars(roofs(size)) for size in {c.size for c in plan}},
        "cases": records,
    }


def _compare(
    options: argparse.Namespace, predictor: KronosPredictor, case: cases.Case, sampling: Sampling, record: report.Record
) -> report.Record:
    published = reference.load(options.reference, predictor)
    found = reference.compare(published, predictor, case, sampling, rounds=options.rounds, steps=options.plain_steps)
    ratios = {window: one["ratio"] * found.ratio for window, one in record["windows"].items()}
    print(f"  over {found.steps} steps {found.remark()}; their forecasts differ by {found.difference:.1g}")
    faster = ", ".join(f"{window} {ratio:.1f}×" for window, ratio in ratios.items())
    print(f"  engine against the published package: {faster}", flush=True)
    return {**vars(found), "ratio": found.ratio, "engine": ratios}


def _soak(options: argparse.Namespace, sampling: Sampling) -> report.Record:
    size = (options.sizes or ["nano"])[0]
    print("MB in memory:", end="", flush=True)
    seen = []
    for resident in memory.soak(size, options.soak, sampling):
        print(f" {resident / 1e6:.0f}", end="", flush=True)
        seen.append(resident)
    gained = memory.growth(seen)
    print(f"\n{options.soak} forecasts of {size}: {gained / 1e6:+.1f} MB from the second quarter to the last")
    return {"soak": {"size": size, "forecasts": options.soak, "resident": seen, "growth": gained}}


def _time_steps(options: argparse.Namespace, sampling: Sampling) -> report.Record:
    found = {}
    for size in options.sizes or ["small"]:
        shape = SHAPES[size]
        roofs = machine.measure(model_bytes(shape.model))
        print(f"{size}: {report.machine_line(machine.describe(options.threads), roofs)}", flush=True)
        predictor = build(shape)
        times = [
            steps.time_steps(predictor, shape, roofs, sampling, rows=rows, rounds=options.rounds)
            for rows in options.steps
        ]
        print("\n".join(steps.table(size, times)), flush=True)
        found[size] = {"roofs": vars(roofs), "steps": [vars(one) | {"of_bound": one.of_bound} for one in times]}
    return {"machine": machine.describe(options.threads), "steps": found}


def _check_scaling(options: argparse.Namespace, sampling: Sampling) -> report.Record:
    found = {}
    for case in _plan(options):
        steps = options.plain_steps or 12
        whole, scaled = scaling_error(build(SHAPES[case.size]), case, sampling, steps, options.rounds)
        print(
            f"{case.name}: {whole:.2f} s whole, {scaled:.2f} s scaled from {steps} steps, {scaled / whole - 1:+.1%}",
            flush=True,
        )
        found[case.name] = {"whole": whole, "scaled": scaled, "steps": steps}
    return {"scaling": found}


if __name__ == "__main__":
    main()
