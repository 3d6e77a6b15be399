"""What a regression of volatility gets from the judge: how much of what there is to gain needs no network.

`.venv/bin/python -m benchmarks.volatility --data FOLDER`: learns from training candles how volatile the next ones were
after what came before, forecasts random walks by it, and prints the table of `python -m training judge` at the same
cutoffs. The folder is one of `<market>/<interval>.parquet` with a column `split`, as in docs/training.md.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.candles import CLOSE, HIGH, LOW
from training.errors import DataError, TrainingError, message
from training.evaluation.baselines.resampled import Seasonal
from training.evaluation.baselines.walks import varying
from training.evaluation.command import cutoffs
from training.evaluation.cutoffs import Cutoff
from training.evaluation.forecasters import Members, Request, batches, request_of
from training.evaluation.judge.judgement import Judgement, judge
from training.evaluation.judge.places import LATER, cutoffs_of, read_blocks
from training.evaluation.judge.tell import text

SPANS = (5, 20, 100)  # candles, besides the whole history: Corsi's day, week and month, from fast to slow
LEAST = 1e-4  # of the history's variance: a span in which nothing moved has a logarithm
AT_ONCE = 512  # histories in memory


@dataclass(frozen=True, eq=False)
class Regression:
    """A random walk as volatile as a heterogeneous autoregression says (Corsi, 2009, doi:10.1093/jjfinec/nbp001).

    In logarithms, on squared returns and on ranges (Parkinson, 1980, doi:10.1086/296071) of several spans, and on the
    times of day or weekdays that are to come, by which the steps differ as well.

    Attributes
    ----------
    weights
        Of `explained`, (K,).
    """

    weights: np.ndarray
    name: str = "regression"

    @property
    def digest(self) -> str:
        """Return the name with a digest of the weights."""
        return f"{self.name}/{hashlib.sha256(self.weights.tobytes()).hexdigest()}"

    def forecast(self, request: Request) -> Members:
        """Return quantiles of the walk from each past."""
        seasons = _seasons(request)
        variance = _variance(request) * np.exp(2 * (explained(request, seasons) @ self.weights))
        shares = seasons / seasons.mean(axis=1, keepdims=True)
        return varying(request.closes[:, -1], variance[:, None] * shares)


def fit(places: Sequence[Cutoff]) -> Regression:
    """Return the regression by least squares over cutoffs whose futures are known; each market counts alike.

    Cutoffs after which nothing moved have no volatility to learn and are left out.
    """
    rows, wanted, groups = [], [], []
    for part in batches(places, AT_ONCE):
        request = request_of(part, seed=0)
        closes = np.stack([np.r_[one.past.last(1)[:, CLOSE], one.actual[:, CLOSE]] for one in part])
        ahead = (np.diff(np.log(closes), axis=1) ** 2).mean(axis=1) / _variance(request)
        moved = ahead > 0
        rows.append(explained(request, _seasons(request))[moved])
        wanted.append(np.log(np.maximum(ahead[moved], LEAST)) / 2)
        groups += [one.group for one, known in zip(part, moved, strict=True) if known]
    _, place, count = np.unique(groups, return_inverse=True, return_counts=True)
    root = 1 / np.sqrt(count[place])
    weights, *_ = np.linalg.lstsq(np.concatenate(rows) * root[:, None], np.concatenate(wanted) * root)
    return Regression(weights)


def explained(request: Request, seasons: np.ndarray) -> np.ndarray:
    """Return what volatility is explained by, (B, K): logarithms, relative to the volatility of the whole history."""
    squares, ranges = request.returns**2, _ranges(request)
    spans = [part[:, -span:] for part in (squares, ranges) for span in SPANS]
    levels = np.column_stack([part.mean(axis=1) for part in (*spans, ranges, seasons)])
    logs = np.log(np.maximum(levels / _variance(request)[:, None], LEAST)) / 2
    return np.column_stack([np.ones(len(logs)), logs])


def learnable(paths: Sequence[Path], judged: Mapping[str, Sequence[Cutoff]], *, per_group: int) -> list[Cutoff]:
    """Return cutoffs of rows marked train whose futures end before those of the last stretch begin.

    Raises
    ------
    DataError
        There are none.
    """
    shape = next((one for block in judged.values() for one in block), None)
    first: dict[str, int] = {}
    for one in judged.get(LATER, ()):
        first[one.group] = min(one.time, first.get(one.group, one.time))
    found = (
        cutoffs(paths, "train", lookback=shape.lookback, horizon=shape.horizon, per_group=per_group) if shape else []
    )
    known = [one for one in found if one.group not in first or one.known_at <= first[one.group]]
    if not known:
        raise DataError(message("There is no cutoff: every series is shorter than one history and one horizon."))
    return known


def main(arguments: list[str] | None = None) -> None:
    """Learn, judge and print the table."""
    options = _parser().parse_args(arguments)
    try:
        print(text(_judged(options)))
    except TrainingError as error:
        sys.exit(str(error))


def _judged(options: argparse.Namespace) -> Judgement:
    blocks = read_blocks(options.data, lookback=options.lookback, gap=options.horizon)
    judged = cutoffs_of(blocks, lookback=options.lookback, horizon=options.horizon, per_group=options.cutoffs)
    places = learnable(sorted(options.data.glob("*/*.parquet")), judged, per_group=options.learn)
    with tempfile.TemporaryDirectory() as folder:
        return judge(fit(places), judged, Path(folder), settings={"learned from": f"{len(places):,} cutoffs"})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.volatility", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--lookback", type=int, default=400)
    parser.add_argument("--horizon", type=int, default=24)
    parser.add_argument("--cutoffs", type=int, default=60, help="of each file and block, to be judged at")
    parser.add_argument("--learn", type=int, default=3000, help="cutoffs of each file to learn from")
    return parser


def _variance(request: Request) -> np.ndarray:
    """Return the mean squared return of each history, (B,)."""
    return np.asarray((request.returns**2).mean(axis=1))


def _ranges(request: Request) -> np.ndarray:
    """Return the variance that each candle's range tells of, the gap before it included, (B, lookback - 1)."""
    candles = np.stack([past.last(request.lookback) for past in request.pasts])
    before = candles[:, :-1, CLOSE]
    high, low = np.maximum(candles[:, 1:, HIGH], before), np.minimum(candles[:, 1:, LOW], before)
    return np.asarray(np.log(high / low) ** 2 / (4 * np.log(2)))


def _seasons(request: Request) -> np.ndarray:
    """Return the variance of returns at the times of day, or weekdays, that are to come, (B, horizon)."""
    return Seasonal(candles=request.lookback - 1).variance(request)


if __name__ == "__main__":
    main()
