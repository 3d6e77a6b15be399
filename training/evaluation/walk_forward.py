"""Walk-forward evaluation: many forecasters at many cutoffs, in batches, resumable.

`horizon` candles are forecast at each `cutoff`; `n_windows` cutoffs are `step_size` candles apart (`cutoffs.rolling`).
With `refit`, baselines are fitted at every cutoff, else once a series, at its first cutoff.

Each batch of a forecaster is a Parquet file whose name is a digest of all that its scores depend on: the forecaster's
digest, candles, cutoffs and seed. A readable file is not computed again; a damaged one is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from training.errors import DataError, Message, message
from training.evaluation.baselines.fitted import Fitted
from training.evaluation.cutoffs import Cutoff
from training.evaluation.files import writable, write_table
from training.evaluation.forecasters import Forecaster, Request, batches, request_of
from training.evaluation.records import records
from training.evaluation.verdicts import label
from training.run.folder import write_json

OnStep = Callable[[int, int], None]
AT_ONCE = 64  # cutoffs in memory together
FORMAT = 3  # of the records; part of the file names
SETTINGS = "evaluation.json"


@dataclass(frozen=True, eq=False)
class Results:
    """Files of `records` by forecaster, in order of cutoffs.

    `overlap` is the number of consecutive cutoffs of a series with overlapping futures: 1 where none overlap.
    """

    files: Mapping[str, Sequence[Path]]
    overlap: int

    def parts(self, *names: str) -> Iterator[pd.DataFrame]:
        """Yield the records of the named forecasters, or of all, a file at a time."""
        for name in names or self.files:
            for path in self.files[name]:
                yield pd.read_parquet(path)


def walk_forward(
    forecasters: Sequence[Forecaster],
    cutoffs: Sequence[Cutoff],
    folder: Path,
    *,
    seed: int = 0,
    refit: bool = True,
    on_step: OnStep | None = None,
) -> Results:
    """Forecast every cutoff with every forecaster and store the scores in `folder`.

    Parameters
    ----------
    cutoffs
        Of one lookback and horizon.
    on_step
        Called with the number of batches done, stored ones included, and in total; may raise to cancel, and the next
        call resumes.

    Raises
    ------
    DataError
        There are no cutoffs, or two forecasters have one name.
    RunError
        The folder cannot be written, or the disk is full.
    """
    _check(forecasters, cutoffs)
    parts = list(batches(cutoffs, AT_ONCE))
    hashes = digests(cutoffs)
    keys = [f"{FORMAT}/{seed}/{'/'.join(part)}" for part in batches(hashes, AT_ONCE)]
    if not refit:
        forecasters = [each.held() if isinstance(each, Fitted) else each for each in forecasters]
    settings = {
        "forecasters": {forecaster.name: forecaster.digest for forecaster in forecasters},
        "data": hashlib.sha256("".join(hashes).encode()).hexdigest(),
        "cutoffs": len(cutoffs),
        "lookback": cutoffs[0].lookback,
        "horizon": cutoffs[0].horizon,
        "seed": seed,
        "refit": refit,
    }
    with writable(folder):
        write_json(folder / SETTINGS, settings)
    first = {id(cutoff.series): cutoff.time for cutoff in sorted(cutoffs, key=lambda cutoff: -cutoff.time)}
    files: dict[str, list[Path]] = {forecaster.name: [] for forecaster in forecasters}
    done, total = 0, len(parts) * len(forecasters)
    for part, key in zip(parts, keys, strict=True):
        request = request_of(part, seed, [first[id(cutoff.series)] for cutoff in part])
        for forecaster in forecasters:
            files[forecaster.name].append(_score_batch(forecaster, request, part, folder, key))
            done += 1
            if on_step:
                on_step(done, total)
    return Results(files, overlap_of(cutoffs))


def _score_batch(forecaster: Forecaster, request: Request, cutoffs: Sequence[Cutoff], folder: Path, key: str) -> Path:
    """Return the file with the scores of a batch, written unless a readable one exists."""
    held = isinstance(forecaster, Fitted) and not forecaster.refit
    depends_on = f"{forecaster.name}/{forecaster.digest}/{key}" + (f"/{request.first}" if held else "")
    path = folder / f"{hashlib.sha256(depends_on.encode()).hexdigest()[:32]}.parquet"
    if not _is_readable(path):
        write_table(records(forecaster.name, forecaster.forecast(request), request, cutoffs), path)
    return path


def overlap_of(cutoffs: Sequence[Cutoff]) -> int:
    """Return how many consecutive cutoffs of a series have overlapping futures."""
    rows: dict[int, list[int]] = {}
    for cutoff in cutoffs:
        rows.setdefault(id(cutoff.series), []).append(cutoff.row)
    gaps = [gap for series in rows.values() for gap in np.diff(np.sort(series)).tolist() if gap > 0]
    return max(1, -(-cutoffs[0].horizon // min(gaps))) if gaps else 1


def seen_in_training(name: str, seen_until: Callable[[str], date | None], cutoffs: Sequence[Cutoff]) -> Message | None:
    """Return a warning where cutoffs precede the end of a model's training: data leakage.

    `seen_until` returns the last day of the training data of a market, None where it is unknown.
    """
    ends = {group: seen_until(group.split("/")[0]) for group in {cutoff.group for cutoff in cutoffs}}
    days = {group: pd.Timestamp(end) + pd.Timedelta(days=1) for group, end in ends.items() if end is not None}
    seen = sum(c.group in days and pd.Timestamp(c.time) < days[c.group] for c in cutoffs)
    if not seen:
        return None
    values: dict[str, Any] = {"model": label(name), "seen": seen, "cutoffs": len(cutoffs)}
    if seen == len(cutoffs):
        return message(
            "All {cutoffs} cutoffs are within the training period of {model}: it may have been trained on the actuals, "
            "so these scores are no evidence in its favour.",
            **values,
        )
    return message(
        "{seen} of {cutoffs} cutoffs are within the training period of {model}: it may have been trained on the "
        "actuals.",
        **values,
    )


def digests(cutoffs: Sequence[Cutoff]) -> list[str]:
    """Return for each cutoff the SHA-256 in hex of all candles up to the end of its future, and of its position."""
    hashes = [""] * len(cutoffs)
    running: dict[int, tuple[int, Any]] = {}
    for index in sorted(range(len(cutoffs)), key=lambda i: cutoffs[i].row):
        cutoff = cutoffs[index]
        done, sha = running.get(id(cutoff.series), (0, hashlib.sha256()))
        stop = max(done, cutoff.row + cutoff.horizon)
        for array in (cutoff.series.values[done:stop], cutoff.series.times[done:stop]):
            sha.update(np.ascontiguousarray(array).view(np.uint8).data)
        running[id(cutoff.series)] = stop, sha
        place = sha.copy()
        place.update(f"{cutoff.group}/{cutoff.symbol}/{cutoff.row}/{cutoff.lookback}/{cutoff.horizon}".encode())
        hashes[index] = place.hexdigest()
    return hashes


def _check(forecasters: Sequence[Forecaster], cutoffs: Sequence[Cutoff]) -> None:
    if not cutoffs:
        raise DataError("There is no cutoff: every series is shorter than one history and one horizon.")
    names = [forecaster.name for forecaster in forecasters]
    duplicate = next((name for name in names if names.count(name) > 1), None)
    if duplicate is not None:
        raise DataError("Two forecasters are named {name}: give each its own name.", name=duplicate)


def _is_readable(path: Path) -> bool:
    """Return whether a Parquet file is complete; delete a damaged one."""
    import pyarrow.parquet as pq
    from pyarrow import ArrowException

    try:
        pq.read_metadata(path)
    except FileNotFoundError:
        return False
    except (ArrowException, OSError):
        path.unlink(missing_ok=True)
        return False
    return True
