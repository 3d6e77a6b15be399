"""Compare two revisions of Kronos Desk: `python -m scripts.compare_revisions OLD NEW [--only CHECK ...]`.

`functions`  The bodies of all functions outside tests are the same multiset: a commit that only moves code keeps it.
`surface`    `openapi.json`, the DDL of the tables and the message ids are equal.
`tests`      NEW collects at least as many tests as OLD.
`home`       A home folder that a server of OLD wrote is served by NEW: every address of the API that OLD answered gets
             the same answer, and a fine-tune that OLD left unfinished is resumed to its end.

Both revisions run in this interpreter's environment. The exit code is the number of checks that failed.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd

from scripts.rest import await_state, connect, wait_until
from scripts.server import running

ROOT = Path(__file__).parents[1]
SOURCES = ("Home.py", "engine", "kronos_app", "pages", "training")
SHOWN = 30  # differing lines
SURFACE = """
import json, tempfile
from pathlib import Path
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable
from kronos_app.api.app import create_api
from kronos_app.locales.update import source_strings
from kronos_app.settings import Settings
from kronos_app.store.tables import metadata

tables = metadata.sorted_tables
dialects = (postgresql.dialect(), sqlite.dialect())
ddl = [str(CreateTable(table).compile(dialect=dialect)) for dialect in dialects for table in tables]
ddl += sorted(str(CreateIndex(index)) for table in tables for index in table.indexes)
api = create_api(lambda: None, Settings(home=Path(tempfile.mkdtemp())))
messages = sorted(str(message.id) for message in source_strings() if message.id)
print(json.dumps({"openapi": api.openapi(), "ddl": ddl, "messages": messages}, indent=1, sort_keys=True))
"""
SMALL_RUN = {
    "base": {"model": "kronos-nano"}, "window": {"lookback": 40, "horizon": 10},
    "split": {"fractions": [0.6, 0.2, 0.2]}, "judge": {"cutoffs": 2, "final_cutoffs": 4, "samples": 2},
}  # fmt: skip
# Parts of an answer that depend on when it was asked or on the revision itself.
CHANGING = {"models", "version", "uptime_seconds", "disk_free_bytes", "queue"}


@contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """Yield a folder with the files of `revision`, which is removed afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tree"
        git("worktree", "add", "--quiet", "--detach", str(path), revision)
        try:
            yield path
        finally:
            git("worktree", "remove", "--force", str(path))


def git(*arguments: str) -> str:
    """Return what a git command prints."""
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def function_bodies(tree: Path) -> Counter[str]:
    """Return the body of each function as its syntax tree: without imports, docstrings and the name of its module."""
    bodies: Counter[str] = Counter()
    modules = {str(path.relative_to(tree)) for path in tree.rglob("*.py")}
    for path in [file for name in SOURCES for file in (tree / name, *sorted((tree / name).rglob("*.py")))]:
        if path.suffix != ".py" or not path.exists():
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                bodies[f"{node.name}: {without_imports(node, modules)}"] += 1
    return bodies


def without_imports(function: ast.FunctionDef | ast.AsyncFunctionDef, modules: set[str]) -> str:
    """Return the statements of a function as text: imports left out, a module named in a string by its last part."""
    for node in ast.walk(function):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            path = node.value if node.value.endswith(".py") else f"{node.value.replace('.', '/')}.py"
            node.value = Path(path).stem if path in modules else node.value
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                setattr(node, name, [part for part in block if not isinstance(part, ast.Import | ast.ImportFrom)])
    statements = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return "\n".join(ast.dump(statement) for statement in statements)


def compare_functions(old: Path, new: Path) -> list[str]:
    """Return the functions that only one of two trees has."""
    before, after = function_bodies(old), function_bodies(new)
    lines = [f"- {body.partition(':')[0]}" for body in (before - after).elements()]
    lines += [f"+ {body.partition(':')[0]}" for body in (after - before).elements()]
    print(f"functions: {before.total()} before, {after.total()} after, {len(lines)} differ")
    return sorted(lines)


def compare_surface(old: Path, new: Path) -> list[str]:
    """Return the lines in which API description, DDL or message ids differ."""
    before, after = (json.loads(run_python(tree, "-c", SURFACE)) for tree in (old, new))
    lines: list[str] = []
    for part in before:
        was, now = (json.dumps(side[part], indent=1, sort_keys=True).splitlines() for side in (before, after))
        differing = [
            line for line in difflib.unified_diff(was, now, lineterm="", n=0) if line[:2] not in {"--", "++", "@@"}
        ]
        print(f"surface: {part} has {len(was)} lines before, {len(now)} after, {len(differing)} differ")
        lines += differing
    return lines


def compare_tests(old: Path, new: Path) -> list[str]:
    """Return a line if fewer tests are collected than before."""
    before, after = (
        int(run_python(tree, "-m", "pytest", "--collect-only", "-q").strip().splitlines()[-1].split()[0])
        for tree in (old, new)
    )
    print(f"tests: {before} before, {after} after")
    return [f"{before - after} tests are gone"] if after < before else []


def run_python(tree: Path, *arguments: str) -> str:
    """Return what a Python program prints that runs in a tree."""
    result = subprocess.run([sys.executable, *arguments], cwd=tree, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"{tree}: {result.stderr[-2000:] or result.stdout[-2000:]}")
    return result.stdout


def compare_homes(old: Path, new: Path) -> list[str]:
    """Return the addresses that the new revision answers otherwise than the old one which wrote the home."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with running(home, root=old) as address, connect(address) as api:
            write_home(api)
            before = read_everything(api)
            unfinished = start_run(api, "unfinished", steps=400)
            wait_until(lambda: api.get(f"/runs/{unfinished}").json()["step"] > 0, "the run has trained a step")
        with running(home, root=new) as address, connect(address) as api:
            resumed = resume_run(api, unfinished)
            api.delete(f"/runs/{unfinished}").raise_for_status()
            after = read_everything(api)
    lines = [f"the fine-tune was not resumed: {resumed}"] if resumed != "finished" else []
    for path, answer in before.items():
        if after.get(path) != answer:
            lines.append(f"{path}: {first_difference(answer, after.get(path))}")
    print(f"home: {len(before)} addresses, {len(lines)} differ; the unfinished fine-tune is {resumed}")
    return lines


def write_home(api: httpx.Client) -> None:
    """Make one record of each kind: candles, forecast, evaluation, backtest, fine-tune, registered model, watchlist."""
    candles = upload(api, "one.csv", seed=1)
    data = {"kind": "candle_sets", "candle_sets": [candles]}
    forecast = {"candles_id": candles, "lookback": 100, "horizon": 10, "samples": 5, "seed": 1}
    finish(api, api.post("/forecasts", json=forecast))
    finish(api, api.post("/forecasts", json=forecast | {"horizon": 5, "cutoff": "2022-03-01"}))
    least = {"lookback": 40, "horizon": 4, "samples": 2}
    evaluation = {"data": data, "models": ["kronos-nano"], "n_windows": 20, "fitted": False} | least
    finish(api, api.post("/evaluations", json=evaluation))
    backtest = {"data": data, "rule": "single", "model": "kronos-nano", "every": 20, "random_signals": 20} | least
    finish(api, api.post("/backtests", json=backtest))
    finished = start_run(api, "finished", steps=4)
    await_state(api, f"/runs/{finished}")
    api.post(f"/runs/{finished}/register", json={"name": "mine"}).raise_for_status()
    entry = {"source": "yahoo", "symbol": "AAPL", "interval": "1d"}
    api.put("/watchlists/mine", json={"entries": [entry]}).raise_for_status()


def upload(api: httpx.Client, name: str, seed: int) -> str:
    """Upload two years of daily candles and return their id."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(rng.normal(0, 0.01, 500).cumsum())
    days = pd.bdate_range("2021-01-04", periods=500)
    frame = pd.DataFrame({"date": days, "open": close, "high": close * 1.01, "low": close * 0.99, "close": close})
    body = frame.assign(volume=1000.0).to_csv(index=False).encode()
    return str(answer(api.post("/candles", files={"file": (name, body)}))["id"])


def start_run(api: httpx.Client, name: str, steps: int) -> str:
    """Start a small fine-tune and return its id."""
    candles = [item["id"] for item in answer(api.get("/candles"))["candles"]]
    predictor = {"steps": steps, "batch": 4, "validate_every": 2, "validation_windows": 4, "checkpoint_every": 2}
    config = SMALL_RUN | {"name": name, "predictor": predictor}
    data = {"kind": "candle_sets", "candle_sets": candles}
    return str(answer(api.post("/runs", json={"data": data, "config": config}))["id"])


def resume_run(api: httpx.Client, run: str) -> str:
    """Resume a fine-tune, end it early and return the state in which it ends."""
    path, ended = f"/runs/{run}", ("paused", "interrupted", "failed", "finished")
    if await_state(api, path, "running", *ended)["state"] != "running":
        api.post(f"{path}/resume").raise_for_status()
        await_state(api, path, "running")
    api.post(f"{path}/stop").raise_for_status()
    return str(await_state(api, path, *ended)["state"])


def read_everything(api: httpx.Client) -> dict[str, Any]:
    """Return what each address answers that takes no argument or the id of a record that a list names."""
    paths = [
        path.removeprefix("/v1") for path, item in answer(api.get("/../openapi.json"))["paths"].items() if "get" in item
    ]
    answers: dict[str, Any] = {}
    for path in paths:
        if "{" not in path and (response := api.get(path)).status_code == 200:
            answers[path] = stable(response)
    lists = {
        "candles": "candles",
        "forecasts": "forecasts",
        "evaluations": "evaluations",
        "backtests": "backtests",
        "runs": "runs",
    }
    for path, name in lists.items():
        for record in answers[f"/{path}"][name]:
            for pattern in paths:
                if pattern.startswith(f"/{path}/{{") and pattern.count("{") == 1:
                    address = f"{pattern.partition('{')[0]}{record['id']}{pattern.partition('}')[2]}"
                    answers[address] = stable(api.get(address))
    return answers


def stable(response: httpx.Response) -> Any:
    """Return an answer without the parts that depend on when it was asked."""
    if "json" not in response.headers.get("content-type", ""):
        return response.text
    return without(response.json(), CHANGING)


def without(value: Any, names: set[str]) -> Any:
    """Return JSON without the fields of some names."""
    if isinstance(value, dict):
        return {name: without(item, names) for name, item in value.items() if name not in names}
    return [without(item, names) for item in value] if isinstance(value, list) else value


def first_difference(before: Any, after: Any, path: str = "") -> str:
    """Return where two pieces of JSON first differ, and how."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in before.keys() | after.keys():
            if before.get(name) != after.get(name):
                return first_difference(before.get(name), after.get(name), f"{path}.{name}")
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        index = next(index for index, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1])
        return first_difference(before[index], after[index], f"{path}[{index}]")
    return f"{path} was {str(before)[:200]}, is {str(after)[:200]}"


def answer(response: httpx.Response) -> Any:
    """Return the JSON of an answer, or stop with what was refused."""
    if response.is_error:
        raise SystemExit(f"{response.request.method} {response.request.url}: {response.text}")
    return response.json()


def finish(api: httpx.Client, response: httpx.Response) -> None:
    """Wait until the job of an answer has succeeded."""
    await_state(api, f"/jobs/{answer(response)['job_id']}")


CHECKS = {"functions": compare_functions, "surface": compare_surface, "tests": compare_tests, "home": compare_homes}


def main() -> None:
    """Run the checks and exit with the number of those that failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--only", nargs="+", choices=CHECKS, default=list(CHECKS))
    arguments = parser.parse_args()
    failed = 0
    with checked_out(arguments.old) as old, checked_out(arguments.new) as new:
        for name in arguments.only:
            lines = CHECKS[name](old, new)
            failed += bool(lines)
            for line in lines[:SHOWN]:
                print(f"  {line}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
