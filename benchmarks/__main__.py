"""The speed of forecasts: as a ratio to a plain loop in the same run, and as a share of the machine's limit.

Without options: the shape of kronos-nano, about a minute. `--table`: the promised ratios, half an hour or more.
Any of `--sizes --samples --lengths --series`: every combination of them. See docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import sys
from functools import cache
from pathlib import Path

import torch

from benchmarks import cases, machine, memory, reference, report
from benchmarks.measure import build_parser, run_in_process, write_record
from benchmarks.shapes import SHAPES, build_predictor
from benchmarks.timing import time_case
from benchmarks.work import count_weight_bytes
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
        record = _soak(options, sampling) if options.soak else _measure(options, sampling)
    except KronosError as error:
        sys.exit(str(error))
    write_record(options, record)


def _parser() -> argparse.ArgumentParser:
    # temperature, top_k, top_p: the defaults of the published predict; rounds: of engine and plain loop alternately
    parser = build_parser(__doc__, temperature=1.0, top_k=0, top_p=0.9, threads=2, rounds=3, stride=64)
    what = parser.add_argument_group("what to time")
    what.add_argument("--table", action="store_true", help="the cases with promised ratios")
    what.add_argument("--sizes", nargs="+", choices=SHAPES)
    what.add_argument("--samples", nargs="+", type=int, metavar="N", help="paths of each series")
    what.add_argument("--lengths", nargs="+", type=_read_lengths, metavar="HISTORY:HORIZON", help="in candles")
    what.add_argument("--series", nargs="+", type=int, metavar="N", help="series in one call")
    what.add_argument("--windows", nargs="+", choices=cases.WINDOWS, default=cases.DEFAULT_WINDOWS)
    what.add_argument("--weights", choices=PRECISIONS, default="float32", help="precision of the engine's weights")
    parser.add_argument(
        "--plain-steps",
        type=lambda text: None if text == "all" else int(text),
        default=12,
        metavar="N|all",
        help="steps of the plain loop to run, evenly spaced; its time is scaled from them",
    )
    parser.add_argument("--no-memory", action="store_true", help="skip peak memory: one process a case and window")
    parser.add_argument("--reference", type=Path, metavar="PATH", help="also time a checkout of the published package")
    parser.add_argument("--soak", type=int, metavar="N", help="instead: forecast N times in one process, watch memory")
    return parser


def _read_lengths(text: str) -> tuple[int, int]:
    history, _, horizon = text.partition(":")
    return int(history), int(horizon)


def _choose_cases(options: argparse.Namespace) -> list[cases.Case]:
    if options.table:
        return cases.promised_cases()
    if not any((options.sizes, options.samples, options.lengths, options.series)):
        return cases.quick_cases()
    return cases.combine_cases(
        options.sizes or ["nano"],
        options.samples or [1, 5],
        options.lengths or [(400, 120)],
        options.series or [1],
        options.windows,
        options.stride,
    )


def _measure(options: argparse.Namespace, sampling: Sampling) -> report.Record:
    limits = cache(lambda size: machine.measure_machine(count_weight_bytes(SHAPES[size].model, options.weights)))
    predictors = cache(lambda size, weights: build_predictor(SHAPES[size], weights))
    described = machine.describe_machine(options.threads)
    chosen, records = _choose_cases(options), []
    for size in dict.fromkeys(case.size for case in chosen):
        print(f"{size}: {report.machine_line(described, limits(size))}", flush=True)
    print(f"\n{report.table_head()}")
    for case in chosen:
        shape, plain = SHAPES[case.size], predictors(case.size, "float32")
        steps = options.plain_steps
        engine = predictors(case.size, options.weights)
        timing = time_case(engine, plain, case, sampling, rounds=options.rounds, plain_steps=steps)
        limit = limits(case.size)
        record = report.case_record(shape, case, timing, limit, plain_steps=steps, weights=options.weights)
        if not options.no_memory:
            record["memory"] = {
                window: run_in_process(memory.measure_memory, case, window, sampling, options.threads, options.weights)
                for window in case.windows
            }
        print("\n".join(report.table_lines(record)), flush=True)
        if options.reference:
            record["reference"] = _compare(options, plain, case, sampling, record)
        records.append(record)
    print("\n" + "\n".join([*report.footnotes(records), *report.memory_notes(records)]))
    machines = {case.size: vars(limits(case.size)) for case in chosen}
    return {"machine": described, "weights": options.weights, "limits": machines, "cases": records}


def _compare(
    options: argparse.Namespace, plain: KronosPredictor, case: cases.Case, sampling: Sampling, record: report.Record
) -> report.Record:
    published = reference.load_published(options.reference, plain)
    compared = reference.compare(published, plain, case, sampling, rounds=options.rounds, steps=options.plain_steps)
    ratios = {window: row["ratio"] * compared.ratio for window, row in record["windows"].items()}
    print(f"  over {compared.steps} steps {compared.remark()}; the forecasts differ by {compared.difference:.1g}")
    faster = ", ".join(f"{window} {ratio:.1f}×" for window, ratio in ratios.items())
    print(f"  ratio to the published package: {faster}", flush=True)
    return {**vars(compared), "ratio": compared.ratio, "engine": ratios}


def _soak(options: argparse.Namespace, sampling: Sampling) -> report.Record:
    size = (options.sizes or ["nano"])[0]
    print("MB in memory:", end="", flush=True)
    resident = []
    for size_now in memory.run_soak(size, options.soak, sampling):
        print(f" {size_now / 1e6:.0f}", end="", flush=True)
        resident.append(size_now)
    growth = memory.memory_growth(resident)
    print(f"\n{options.soak} forecasts of {size}: {growth / 1e6:+.1f} MB from the second quarter to the last")
    return {"soak": {"size": size, "forecasts": options.soak, "resident": resident, "growth": growth}}


if __name__ == "__main__":
    main()
