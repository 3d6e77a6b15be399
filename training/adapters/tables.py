"""CSV and Parquet files of candles as batches with the same columns, for files of any size."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from engine.candles import FEATURES, PRICES
from training.errors import DataError, Message, message

SUFFIXES = (".parquet", ".csv", ".csv.gz")
TIMES = ("timestamp", "timestamps", "datetime", "time", "date")  # names of the time column, the likeliest first
ROWS = 1 << 17  # of a batch
_MISSING = ("", "nan", "NaN", "NAN", "null", "NULL", "None", "NA", "N/A")


@dataclass(frozen=True)
class Table:
    """A file of candles."""

    path: Path
    columns: dict[str, str]  # the file's name of each column

    @property
    def many(self) -> bool:
        """Return whether the file has a column of symbols."""
        return "symbol" in self.columns

    def batches(self, names: Collection[str] | None = None) -> Iterator[pd.DataFrame]:
        """Yield rows in the file's order: times naive, numbers float64, symbol and split text, and `row`, from 1.

        Raises DataError if the file is damaged, or a time, number or symbol is wrong; names the row.
        """
        used = {name: column for name, column in self.columns.items() if names is None or name in names}
        row = 1
        try:
            for raw in _raw_batches(self.path, list(used.values())):
                batch = pd.DataFrame(
                    {name: _convert(raw[column], name, row, self.path) for name, column in used.items()}
                )
                batch["row"] = np.arange(row, row + len(batch))
                row += len(batch)
                yield batch
        except (OSError, EOFError, UnicodeDecodeError, pa.ArrowException, pd.errors.ParserError) as error:
            raise DataError(_read_error(self.path, error)) from error


def open_table(path: Path) -> Table:
    """Return a file's columns, found in any case; a DataError names missing ones."""
    try:
        names = pq.read_schema(path).names if _is_parquet(path) else pd.read_csv(path, nrows=0).columns
    except (OSError, EOFError, ValueError, pa.ArrowException) as error:
        raise DataError(_read_error(path, error)) from error
    known = {str(name).strip().lower(): str(name) for name in reversed(list(names))}
    columns = {name: known[name] for name in ("symbol", "split", *FEATURES) if name in known}
    time = next((name for name in TIMES if name in known), None)
    missing = ([] if time else ["timestamp"]) + [name for name in PRICES if name not in columns]
    if time is None or missing:
        raise DataError(
            "{file} has no column {missing}: candles need timestamp, open, high, low and close. If it has none, leave "
            "it out by a pattern such as data/*/*.parquet.",
            file=str(path),
            missing=", ".join(missing),
        )
    return Table(path, {"timestamp": known[time], **columns})


def _is_parquet(path: Path) -> bool:
    return path.name.lower().endswith(".parquet")


def _raw_batches(path: Path, columns: list[str]) -> Iterator[pd.DataFrame]:
    if _is_parquet(path):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=ROWS, columns=columns):
                yield batch.to_pandas(ignore_metadata=True, date_as_object=False)
        return
    # Symbols keep their zeros, and NA is one: only numbers may be missing.
    missing = {name: list(_MISSING) for name in columns if name.strip().lower() in FEATURES}
    text = {name: str for name in columns if name.strip().lower() in {"symbol", "split", *TIMES}}
    with pd.read_csv(
        path, usecols=columns, dtype=text, keep_default_na=False, na_values=missing, chunksize=ROWS
    ) as reader:
        yield from reader


def _convert(raw: pd.Series, name: str, row: int, path: Path) -> pd.Series:
    if name == "timestamp":
        return _times(raw, row, path)
    if name in FEATURES:
        numbers = pd.to_numeric(raw, errors="coerce")
        wrong = numbers.isna() & raw.notna()
        if wrong.any():
            place = int(wrong.to_numpy().argmax())
            raise DataError(
                "{file}: row {row}: {column} is “{value}”, which is not a number.",
                file=str(path), row=row + place, column=name, value=str(raw.iloc[place])[:40],
            )  # fmt: skip
        return numbers.astype(np.float64)
    text = raw.astype(str).fillna("")
    if name == "symbol" and (text == "").any():
        raise DataError("{file}: row {row} has no symbol.", file=str(path), row=row + int((text == "").argmax()))
    return text


def _times(raw: pd.Series, row: int, path: Path) -> pd.Series:
    """Return naive times; those with a zone as the clock there showed them."""
    place = 0
    if not pd.api.types.is_numeric_dtype(raw):
        try:
            times = pd.to_datetime(raw, format="ISO8601", errors="coerce")
        except (ValueError, TypeError) as error:  # zones that differ between rows
            raise DataError("{file}: times cannot be read ({reason}).", file=str(path), reason=str(error)) from error
        if not times.isna().any():
            naive: pd.Series = times.dt.tz_localize(None).dt.as_unit("ns")
            return naive
        place = int(times.isna().to_numpy().argmax())
    raise DataError(
        "{file}: row {row}: “{value}” is not a time: write it as 2024-01-31 or 2024-01-31 09:30:00.",
        file=str(path), row=row + place, value=str(raw.iloc[place])[:40],
    )  # fmt: skip


def _read_error(path: Path, error: Exception) -> Message:
    reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
    return message("{file} cannot be read ({reason}).", file=str(path), reason=reason)
