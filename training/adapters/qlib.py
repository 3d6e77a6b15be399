"""Candles of an instrument set in a folder of Qlib's layout, read by Qlib in a process of its own."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
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

    Amount is that of the folder, or volume times `vwap` where it has that. A column `piece` counts the stays of an
    instrument in its set: what lies between two of them is left out, so the series is not continuous there.

    Raises
    ------
    DataError
        Qlib is not installed, or the folder, the set, the frequency or the fields are not there; the message lists the
        sets and frequencies that there are.
    """
    folder, frequency = _checked(data)
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
    with _child(request) as (out, told):
        try:
            stream = pa.ipc.open_stream(out)
        except pa.ArrowException as error:
            raise _failed(folder, told) from error
        for batch in stream:
            one = _symbol(batch.to_pandas(), f"{data.market}/{frequency}")
            empty = empty and bool(one.frame[list(PRICES)].isna().any(axis=1).all())
            yield one
        if told.wait():
            raise _failed(folder, told)
    if empty:
        raise DataError(
            message("{folder} has no candle of {market} in this range with open, high, low and close.",
                   folder=str(folder), market=data.market)
        )  # fmt: skip


def fingerprint(data: QlibData) -> list[Any]:
    """Return size and time of change of calendar, set and closes.

    Raises
    ------
    DataError
        The folder, the set or the frequency is not there.
    """
    folder, frequency = _checked(data)
    texts = [folder / "calendars" / f"{frequency}.txt", folder / "instruments" / f"{data.market}.txt"]
    sha = hashlib.sha256()
    for path in [*texts, *sorted((folder / "features").glob(f"*/close.{frequency}.bin"))]:
        status = path.stat()
        sha.update(f"{path.name}:{path.parent.name}:{status.st_size}:{status.st_mtime_ns};".encode())
    return [str(folder), sha.hexdigest()]


def _checked(data: QlibData) -> tuple[Path, str]:
    folder = Path(data.folder).expanduser().resolve()
    if not (folder / "calendars").is_dir() or not (folder / "instruments").is_dir():
        raise DataError(
            message("{folder} is no Qlib folder: it must have the folders calendars, instruments and features.",
                   folder=str(folder))
        )  # fmt: skip
    for part, name, what in (
        ("instruments", data.market, message("instrument set")),
        ("calendars", data.frequency, message("frequency")),
    ):
        there = sorted(path.stem for path in (folder / part).glob("*.txt") if not path.stem.endswith("_future"))
        if name not in there:
            raise DataError(
                message("{folder} has no {what} “{name}”. There are: {there}.",
                       folder=str(folder), what=what, name=name, there=", ".join(there) or "-")
            )  # fmt: skip
    return folder, data.frequency


@contextmanager
def _child(request: dict[str, Any]) -> Iterator[tuple[IO[bytes], _Told]]:
    """Start Qlib and end it with the reading, however that ends."""
    command = [sys.executable, "-W", "ignore", "-m", "training.adapters.qlib_child"]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603  # our own module; the request goes by standard input
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(request).encode())
            process.stdin.close()
            yield process.stdout, _Told(process, errors)
        finally:
            process.stdout.close()
            process.kill()
            process.wait()


class _Told:
    """How the child ended, and what it said."""

    def __init__(self, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        self._process, self._errors = process, errors

    def wait(self) -> int:
        return self._process.wait()

    def last_line(self) -> str:
        self.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "no message"


def _failed(folder: Path, told: _Told) -> DataError:
    return DataError(
        message("Qlib cannot read {folder} ({reason}).", folder=str(folder), reason=told.last_line()[:300])
    )


def _symbol(rows: pd.DataFrame, group: str) -> SymbolCandles:
    symbol, done, total = (rows[name].iloc[0] if len(rows) else 0 for name in ("symbol", "done", "total"))
    rows["amount"] = rows["amount"].fillna(rows["volume"] * rows["vwap"])
    return SymbolCandles(
        group, str(symbol), rows.drop(columns=["symbol", "done", "total", "vwap"]), int(done), int(total)
    )
