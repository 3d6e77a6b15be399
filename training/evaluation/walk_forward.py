"""Forecasts at many cutoffs by many forecasters side by side: in batches, resumable, kept in a folder.

The vocabulary: `horizon` candles are forecast at each `cutoff`; `n_windows` cutoffs, `step_size` candles apart
(`cutoffs.rolling`, or `cutoffs.spread`). `refit`: baselines are fitted anew at every cutoff, or at the first one of a
series and then only filtered; models never are.

Each batch of a forecaster is a Parquet file whose name is made of all that its scores depend on: the forecaster's
digest, the candles, the cutoffs and the seed. What is there is not computed again, whatever stopped an earlier run or
was added since; what is damaged is.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from training.errors import DataError, Message, RunError, message
from training.evaluation.baselines.fitted import Fitted
from training.evaluation.baselines.labels import label
from training.evaluation.cutoffs import Cutoff
from training.evaluation.forecasters import Forecaster, batches, request_of
from training.evaluation.records import records
from training.run.folder import unwritable, write_json

OnStep = Callable[[int, int], None]
AT_ONCE = 64  # cutoffs in memory together
FORMAT = 3  # of the records: another one is another file
SETTINGS = "evaluation.json"


@dataclass(frozen=True, eq=False)
class Results:
    """What a walk forward left: files of `records`, in order of cutoffs.

    Attributes
    ----------
    files
        Forecaster to its files.
    overlap
        Cutoffs of a series in a row whose futures overlap: 1 where none do.
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
    """Forecast every cutoff with every forecaster and keep the scores in `folder`.

    Parameters
    ----------
    cutoffs
        Of one lookback and horizon.
    refit
        Whether baselines with parameters are fitted to the history of every cutoff; else, to that of the first cutoff
        of each series alone.
    on_step
        Called with batches done and in all, those found included; may raise to cancel: the next call goes on there.

    Raises
    ------
    DataError
        There are no cutoffs, or two forecasters of one name.
    RunError
        The folder cannot be written to, or the disk is full.
    """
    _check(forecasters, cutoffs)
    parts = list(batches(cutoffs, AT_ONCE))
    places = digests(cutoffs)
    keys = [f"{FORMAT}/{seed}/{'/'.join(here)}" for here in batches(places, AT_ONCE)]
    if not refit:
        forecasters = [one.held() if isinstance(one, Fitted) else one for one in forecasters]
    _note(folder, forecasters, cutoffs, places, seed=seed, refit=refit)
    first = _first_times(cutoffs)
    files: dict[str, list[Path]] = {one.name: [] for one in forecasters}
    done, total = 0, len(parts) * len(forecasters)
    for part, key in zip(parts, keys, strict=True):
        request = request_of(part, seed, [first[id(cutoff.series)] for cutoff in part])
        for one in forecasters:
            held = isinstance(one, Fitted) and not one.refit
            made_of = f"{one.name}/{one.digest}/{key}" + (f"/{request.first}" if held else "")
            path = folder / f"{hashlib.sha256(made_of.encode()).hexdigest()[:32]}.parquet"
            if not _whole(path):
                _write(records(one.name, one.forecast(request), request, part), path)
            files[one.name].append(path)
            done += 1
            if on_step:
                on_step(done, total)
    return Results(files, overlap_of(cutoffs))


def overlap_of(cutoffs: Sequence[Cutoff]) -> int:
    """Return how many cutoffs of a series in a row have futures that overlap."""
    rows: dict[int, list[int]] = {}
    for cutoff in cutoffs:
        rows.setdefault(id(cutoff.series), []).append(cutoff.row)
    gaps = [gap for here in rows.values() for gap in np.diff(np.sort(here)).tolist() if gap > 0]
    return max(1, -(-cutoffs[0].horizon // min(gaps))) if gaps else 1


def seen_in_training(name: str, seen_until: Callable[[str], date | None], cutoffs: Sequence[Cutoff]) -> Message | None:
    """Return a warning where cutoffs precede the end of a model's training: what came may have been learned.

    Parameters
    ----------
    seen_until
        Market (a group's part before the slash) to the last day that was learned from; None where nobody knows.
    """
    ends = {group: seen_until(group.split("/")[0]) for group in {cutoff.group for cutoff in cutoffs}}
    days = {group: pd.Timestamp(end) + pd.Timedelta(days=1) for group, end in ends.items() if end is not None}
    seen = sum(c.group in days and pd.Timestamp(c.time) < days[c.group] for c in cutoffs)
    if not seen:
        return None
    values: dict[str, Any] = {"model": label(name), "seen": seen, "cutoffs": len(cutoffs)}
    if seen == len(cutoffs):
        return message(
            "All {cutoffs} cutoffs precede the end of the training of {model}: it may have learned what came, so these "
            "scores prove nothing in its favour.",
            **values,
        )
    return message(
        "{seen} of {cutoffs} cutoffs precede the end of the training of {model}: it may have learned what came.",
        **values,
    )


def digests(cutoffs: Sequence[Cutoff]) -> list[str]:
    """Return, for each cutoff, the SHA-256 in hex of all candles up to the end of its future, and of its place."""
    found = [""] * len(cutoffs)
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
        found[index] = place.hexdigest()
    return found


def _first_times(cutoffs: Sequence[Cutoff]) -> dict[int, int]:
    """Return the time of the first cutoff of each series, by the series' identity."""
    first: dict[int, int] = {}
    for cutoff in cutoffs:
        first[id(cutoff.series)] = min(cutoff.time, first.get(id(cutoff.series), cutoff.time))
    return first


def _check(forecasters: Sequence[Forecaster], cutoffs: Sequence[Cutoff]) -> None:
    if not cutoffs:
        raise DataError(message("There is no cutoff: every series is shorter than one history and one horizon."))
    names = [one.name for one in forecasters]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(message("Two forecasters are named {name}: give each its own name.", name=twice))


def _note(
    folder: Path,
    forecasters: Sequence[Forecaster],
    cutoffs: Sequence[Cutoff],
    places: Sequence[str],
    *,
    seed: int,
    refit: bool,
) -> None:
    """Write down what the scores are of."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(unwritable(folder, error)) from error
    write_json(
        folder / SETTINGS,
        {
            "forecasters": {one.name: one.digest for one in forecasters},
            "data": hashlib.sha256("".join(places).encode()).hexdigest(),
            "cutoffs": len(cutoffs),
            "lookback": cutoffs[0].lookback,
            "horizon": cutoffs[0].horizon,
            "seed": seed,
            "refit": refit,
        },
    )


def _whole(path: Path) -> bool:
    """Return whether a file is there and can be read."""
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


def _write(table: pd.DataFrame, path: Path) -> None:
    draft = path.with_suffix(f".{os.getpid()}")
    try:
        table.to_parquet(draft, index=False)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise RunError(unwritable(path.parent, error)) from error
