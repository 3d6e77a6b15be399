"""Candles of an instrument set in a folder of Qlib's layout, read by Qlib in a process of its own."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pandas as pd
import pyarrow as pa

from engine.candles import PRICES
from training.adapters.qlib_support import require_qlib
from training.adapters.symbol import SymbolCandles
from training.errors import DataError, message
from training.run.config import QlibData

ROOT = Path(__file__).parents[2]


def read(data: QlibData) -> Iterator[SymbolCandles]:
    """Yield the candles of each instrument as Qlib returns them; memory holds some tens of instruments at a time.

    Amount is that of the folder, or volume times `vwap` if it has that. The column `piece` counts the stays of an
    instrument in its set, between which the series is not continuous.

    Raises DataError if Qlib is not installed, or the folder, set, frequency or fields are missing; lists the sets and
    frequencies.
    """
    folder, frequency = _check(data)
    require_qlib()
    request = {
        "folder": str(folder),
        "market": data.market,
        "frequency": frequency,
        "first": data.start.isoformat() if data.start else None,
        "last": data.end.isoformat() if data.end else None,
        "members_only": data.members_only,
    }
    empty = True
    with _start_child(request) as (output, wait):
        try:
            stream = pa.ipc.open_stream(output)
        except pa.ArrowException as error:
            raise _failure(folder, wait()[1]) from error
        for batch in stream:
            candles = _candles(batch.to_pandas(), f"{data.market}/{frequency}")
            empty = empty and bool(candles.frame[list(PRICES)].isna().any(axis=1).all())
            yield candles
        code, reason = wait()
        if code:
            raise _failure(folder, reason)
    if empty:
        raise DataError(
            "{folder} has no candle of {market} in this range with open, high, low and close.",
            folder=str(folder), market=data.market,
        )  # fmt: skip


def fingerprint(data: QlibData) -> list[Any]:
    """Return a digest of sizes and modification times of calendar, set and closes; a DataError names a missing one."""
    folder, frequency = _check(data)
    texts = [folder / "calendars" / f"{frequency}.txt", folder / "instruments" / f"{data.market}.txt"]
    sha = hashlib.sha256()
    for path in [*texts, *sorted((folder / "features").glob(f"*/close.{frequency}.bin"))]:
        status = path.stat()
        sha.update(f"{path.name}:{path.parent.name}:{status.st_size}:{status.st_mtime_ns};".encode())
    return [str(folder), sha.hexdigest()]


def _check(data: QlibData) -> tuple[Path, str]:
    folder = Path(data.folder).expanduser().resolve()
    if not (folder / "calendars").is_dir() or not (folder / "instruments").is_dir():
        raise DataError(
            "{folder} is not a Qlib folder: it must have the folders calendars, instruments and features.",
            folder=str(folder),
        )
    for part, name, what in (
        ("instruments", data.market, message("instrument set")),
        ("calendars", data.frequency, message("frequency")),
    ):
        names = sorted(path.stem for path in (folder / part).glob("*.txt") if not path.stem.endswith("_future"))
        if name not in names:
            raise DataError(
                "{folder} has no {what} “{name}”. There are: {there}.",
                folder=str(folder), what=what, name=name, there=", ".join(names) or "-",
            )  # fmt: skip
    return folder, data.frequency


@contextmanager
def _start_child(request: dict[str, Any]) -> Iterator[tuple[IO[bytes], Callable[[], tuple[int, str]]]]:
    """Yield the output of a Qlib process, and a function that waits for its exit code and last line of errors."""
    command = [sys.executable, "-W", "ignore", "-m", "training.adapters.qlib_child"]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603  # our own module; the request goes by standard input
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
        )
        assert process.stdin is not None
        assert process.stdout is not None

        def wait() -> tuple[int, str]:
            code = process.wait()
            errors.seek(0)
            lines = errors.read().decode("utf-8", "replace").strip().splitlines()
            return code, lines[-1] if lines else "no message"

        try:
            process.stdin.write(json.dumps(request).encode())
            process.stdin.close()
            yield process.stdout, wait
        finally:
            process.stdout.close()
            process.kill()
            process.wait()


def _failure(folder: Path, reason: str) -> DataError:
    return DataError("Qlib cannot read {folder} ({reason}).", folder=str(folder), reason=reason[:300])


def _candles(rows: pd.DataFrame, group: str) -> SymbolCandles:
    symbol, done, total = (rows[name].iloc[0] if len(rows) else 0 for name in ("symbol", "done", "total"))
    rows["amount"] = rows["amount"].fillna(rows["volume"] * rows["vwap"])
    frame = rows.drop(columns=["symbol", "done", "total", "vwap"])
    return SymbolCandles(group, str(symbol), frame, int(done), int(total))
