"""Run them all: `python -m tests.soak`; the exit status is 1 where something failed."""

from __future__ import annotations

import argparse
import sys

from tests.soak import kills, load, uploads

SHOWN = 20


def main() -> int:
    """Print a row a run, then what failed."""
    parser = argparse.ArgumentParser(description="Mutated uploads, kills and load against a running desk.")
    parser.add_argument("--uploads", type=int, default=10_000, help="mutated files to upload")
    parser.add_argument("--kills", type=int, default=30, help="kills of forecasts, and as many of stores")
    parser.add_argument("--seconds", type=float, default=120.0, help="seconds of load")
    parser.add_argument("--seed", type=int, default=0, help="the same seed makes the same requests")
    options = parser.parse_args()
    runs = [
        (options.uploads, lambda: uploads.run(options.uploads, options.seed)),
        (options.kills, lambda: kills.run_forecasts(options.kills, options.seed)),
        (options.kills, lambda: kills.run_stores(options.kills, options.seed)),
        (options.seconds, lambda: load.run(options.seconds, options.seed)),
    ]
    failures: list[str] = []
    print("| run | answers | |\n|---|---|---|", flush=True)
    for size, run in runs:
        if size:
            row, failed = run()
            failures += failed
            print(row, flush=True)
    for failure in failures[:SHOWN]:
        print(f"- {failure}")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
