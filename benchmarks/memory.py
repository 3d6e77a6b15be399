"""The memory of a forecast beyond the weights, and a search for leaks.

On Linux the kernel's peak is reset before the forecast. Elsewhere only the peak of the whole process is known, so a
forecast that takes less than loading did shows as zero.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from statistics import median

import torch

from benchmarks.cases import Case, make_case
from benchmarks.measure import read_peak, read_resident, reset_peak
from benchmarks.shapes import SHAPES, Shape, build_predictor, random_walks
from benchmarks.timing import run_forecast
from benchmarks.work import count_own_bytes
from engine.config import ModelConfig, TokenizerConfig
from engine.packed import Precision
from engine.predictor import KronosPredictor
from engine.sampling import Sampling

ALLOWED = 1.3  # of one path's memory, beside the keys and values of the paths
_SMALLEST = Shape(
    ModelConfig(s1_bits=2, s2_bits=2, n_layers=1, d_model=8, n_heads=1, ff_dim=8),
    TokenizerConfig(s1_bits=2, s2_bits=2, d_model=8, n_heads=1, ff_dim=8),
    context=16,
)


def measure_memory(
    case: Case, window: str, sampling: Sampling, threads: int, weights: Precision = "float32"
) -> dict[str, int]:
    """Measure a case in this process, which should be a new one.

    Returns
    -------
    dict
        Bytes: `weights` after loading; `beyond` them, at the peak of the forecast; `own` keys and values of single
        paths, counted from the shapes; `process`, the peak of the whole process.
    """
    torch.set_num_threads(threads)
    _warm_up(build_predictor(_SMALLEST), sampling)  # threads and kernels do not count as weights
    empty = read_resident()
    predictor = build_predictor(SHAPES[case.size], weights)
    _warm_up(predictor, sampling)
    before = read_resident()
    inputs = random_walks(case.series, case.history, case.horizon)
    reset_peak()
    run_forecast(predictor, case, inputs, window, sampling)
    peak = read_peak()
    own = count_own_bytes(SHAPES[case.size].model, case, window)
    return {"weights": before - empty, "beyond": max(0, peak - before), "own": own, "process": peak}


def allowed_bytes(single: dict[str, int], many: dict[str, int]) -> float:
    """Return the bytes that many paths may take if one path takes `single`."""
    return ALLOWED * single["beyond"] + many["own"]


def run_soak(size: str, forecasts: int, sampling: Sampling, every: int = 20) -> Iterator[int]:
    """Yield the resident bytes of this process after each `every` forecasts of varying lengths and samples.

    Some fit into the context, some slide.
    """
    predictor = build_predictor(SHAPES[size])
    for i in range(forecasts):
        tenth = predictor.max_context // 10
        case = make_case(size, 1 + i % 5, history=(5 + i % 5) * tenth, horizon=(1 + i % 3) * tenth)
        window = case.windows[i % len(case.windows)]
        run_forecast(predictor, case, random_walks(1, case.history, case.horizon, seed=i), window, sampling)
        if (i + 1) % every == 0:
            yield read_resident()


def memory_growth(resident: list[int]) -> float:
    """Return the bytes gained from the second quarter of a soak to its last; the first quarter fills caches."""
    quarter = max(1, len(resident) // 4)
    return median(resident[-quarter:]) - median(resident[quarter : 2 * quarter] or resident)


def _warm_up(predictor: KronosPredictor, sampling: Sampling) -> None:
    """Pack the weights by a small forecast, then free its memory."""
    small = Case("", series=1, samples=1, history=8, horizon=2, context=16, windows=("fit",))
    run_forecast(predictor, small, random_walks(1, small.history, small.horizon), "fit", sampling)
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
