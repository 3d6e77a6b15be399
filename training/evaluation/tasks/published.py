"""Figures of arXiv:2508.02739v1: of other data and other years, so for orientation only.

They come from a public transcription of the paper's tables; figures that it lacks are missing. Tests compare them with
the abstract.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from training.errors import Message, message
from training.evaluation.tasks.presets import TaskName

PAPER = "arXiv:2508.02739v1"
AVERAGE = message("average of its data sets")


@dataclass(frozen=True)
class Published:
    """A row of the table of the paper with this number, or of several tables."""

    model: str
    data: Message
    figures: Mapping[str, float]
    table: str


def _of(data: Message, model: str, table: str, **figures: float) -> Published:
    return Published(model, data, figures, table)


_average = partial(_of, AVERAGE)
SHANGHAI_DAY, SHANGHAI_QUARTER = message("Shanghai, daily"), message("Shanghai, 15 minutes")
CSI_300, CSI_800 = message("CSI 300"), message("CSI 800")

PUBLISHED: Mapping[TaskName, tuple[Published, ...]] = {
    "price": (
        _average("Kronos-small", "2, 14", ic=0.0431, rank_ic=0.0254),
        _average("Kronos-base", "14", rank_ic=0.0258),
        _average("Kronos-large", "14", rank_ic=0.0267),
        _average("DLinear", "14", rank_ic=0.0143),
        _average("Time-MoE base", "15", ic=0.0174, rank_ic=0.0138),
    ),
    "return": (
        _average("Kronos-small", "2, 16", ic=0.0665, rank_ic=0.0622),
        _average("Kronos-base", "16", rank_ic=0.0634),
        _average("Kronos-large", "16", rank_ic=0.0675),
        _average("DLinear", "16", rank_ic=0.0423),
    ),
    "volatility": (
        _average("Kronos-small", "2, 18", mae=0.0384, r2=0.2490),
        _average("Kronos-base", "18", r2=0.2470),
        _average("Kronos-large", "18", r2=0.2624),
        _average("GARCH", "18", r2=0.2323),
        _average("ARCH", "18", r2=0.2281),
    ),
    "synthetic": (
        _average("Kronos-small", "20", discriminative=0.2876),
        _average("Kronos-base", "20", discriminative=0.3009),
        _average("Kronos-large", "20", discriminative=0.3048),
        _average("DiffusionTS", "20", discriminative=0.2504),
        _average("TimeGAN", "20", discriminative=0.1993),
        _average("TimeVAE", "20", discriminative=0.0308),
        _of(SHANGHAI_QUARTER, "Kronos-small", "20, 21", discriminative=0.2313, tstr_ic=0.0223, tstr_rank_ic=0.0144),
        _of(SHANGHAI_QUARTER, "Kronos-base", "20, 21", discriminative=0.2317, tstr_ic=0.0231, tstr_rank_ic=0.0147),
        _of(SHANGHAI_QUARTER, "Kronos-large", "20, 21", discriminative=0.2393, tstr_ic=0.0236, tstr_rank_ic=0.0151),
        _of(SHANGHAI_DAY, "Kronos-small", "20, 21", discriminative=0.1865, tstr_ic=0.0918, tstr_rank_ic=0.0854),
        _of(SHANGHAI_DAY, "Kronos-base", "20, 21", discriminative=0.2227, tstr_ic=0.0902, tstr_rank_ic=0.0839),
        _of(SHANGHAI_DAY, "Kronos-large", "20, 21", discriminative=0.2105, tstr_ic=0.0845, tstr_rank_ic=0.0796),
    ),
    "investment": (
        _of(CSI_300, "Kronos-small", "10", excess_return=0.1805, information_ratio=1.2394),
        _of(CSI_300, "Kronos-base", "10", excess_return=0.1911, information_ratio=1.3782),
        _of(CSI_300, "Kronos-large", "10", excess_return=0.2193, information_ratio=1.4177),
        _of(CSI_300, "PatchTST", "10", excess_return=0.1289, information_ratio=0.9895),
        _of(CSI_800, "Kronos-small", "10", excess_return=0.1772, information_ratio=1.6050),
        _of(CSI_800, "Kronos-base", "10", excess_return=0.1867, information_ratio=1.6652),
        _of(CSI_800, "Kronos-large", "10", excess_return=0.1974, information_ratio=1.8805),
        _of(CSI_800, "PatchTST", "10", excess_return=0.1620, information_ratio=1.5033),
    ),
}
