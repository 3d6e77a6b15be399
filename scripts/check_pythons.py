"""Install and try the product with every Python that is found: `python -m scripts.check_pythons`.

For each of Python 3.11 to 3.14 on the PATH: a fresh environment, the requirements, a server on a port of its own and
one forecast over REST. Prints a row each; the exit status is 1 where one fails. Several GB of disk are needed while an
environment exists; it is removed before the next one is made.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from scripts.rest import await_state, connect
from scripts.server import ROOT, running

VERSIONS = ("3.11", "3.12", "3.13", "3.14")
SECONDS_TO_INSTALL = 3_600
STEPS = 12


@dataclass(frozen=True)
class Row:
    """What became of one Python; `failure` is empty where all went well."""

    python: str
    install_seconds: float = 0.0
    size_gb: float = 0.0
    start_seconds: float = 0.0
    forecast_seconds: float = 0.0
    failure: str = ""

    def __str__(self) -> str:
        figures = f"{self.install_seconds:.0f} s, {self.size_gb:.1f} GB, {self.start_seconds:.1f} s"
        return f"| {self.python} | {figures}, {self.forecast_seconds:.1f} s | {self.failure or 'ok'} |"


def main() -> int:
    """Try every Python and print the table."""
    parser = argparse.ArgumentParser(description="Install and try the product with every Python that is found.")
    parser.add_argument("--only", nargs="*", choices=VERSIONS, default=VERSIONS, help="versions to try")
    parser.add_argument("--pip", nargs="*", default=[], help="further arguments of pip install, such as an index")
    options = parser.parse_args()
    print("| Python | install, size, start, forecast | |\n|---|---|---|", flush=True)
    failed = False
    for version in options.only:
        program = shutil.which(f"python{version}")
        if program is None or not _has_version(program, version):
            print(f"| {version} | | not found |", flush=True)
            continue
        row = try_python(version, program, options.pip)
        failed = failed or bool(row.failure)
        print(row, flush=True)
    return int(failed)


def try_python(version: str, program: str, pip: list[str]) -> Row:
    """Return what becomes of one Python."""
    install_seconds = size = 0.0
    with tempfile.TemporaryDirectory(prefix="kronos-python-") as folder:
        try:
            begun = time.monotonic()
            python = _install(Path(folder) / "venv", program, pip)
            install_seconds = time.monotonic() - begun
            size = sum(file.lstat().st_size for file in Path(folder).rglob("*") if file.is_file()) / 1e9
            begun = time.monotonic()
            with running(Path(folder) / "home", python) as address:
                start = time.monotonic() - begun
                begun = time.monotonic()
                _forecast(address)
                return Row(version, install_seconds, size, start, time.monotonic() - begun)
        except (subprocess.SubprocessError, httpx.HTTPError, OSError, RuntimeError) as error:
            return Row(version, install_seconds, size, failure=f"{type(error).__name__}: {error}")


def _has_version(program: str, version: str) -> bool:
    """Return whether the program runs; a stand-in of pyenv may be on the PATH and refuse to."""
    command = [program, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    answer = subprocess.run(command, check=False, capture_output=True)
    return answer.returncode == 0 and answer.stdout.decode().strip() == version


def _install(venv: Path, program: str, pip: list[str]) -> str:
    subprocess.run([program, "-m", "venv", str(venv)], check=True)
    python = str(venv / "bin" / "python")
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *pip]
    files = ["--constraint", str(ROOT / "constraints.txt"), "--requirement", str(ROOT / "requirements.txt")]
    subprocess.run([*command, *files], check=True, timeout=SECONDS_TO_INSTALL)
    return python


def _forecast(address: str) -> None:
    """Upload the golden candles and forecast from them; the answer must have the steps that were asked for."""
    with connect(address) as api:
        candles = (ROOT / "tests" / "golden" / "candles.csv").read_bytes()
        saved = api.post("candles", files={"file": ("candles.csv", candles)}).raise_for_status().json()
        request = {"candles_id": saved["id"], "lookback": 200, "horizon": STEPS, "samples": 10, "seed": 1}
        job = api.post("forecasts", json=request).raise_for_status().json()
        job = await_state(api, f"jobs/{job['job_id']}")
        forecast = api.get(f"forecasts/{job['forecast_id']}").raise_for_status().json()
        if len(forecast["timestamps"]) != STEPS:
            raise RuntimeError(f"the forecast has {len(forecast['timestamps'])} steps, not {STEPS}")


if __name__ == "__main__":
    sys.exit(main())
