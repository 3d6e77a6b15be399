"""Which learning rate to begin with, by how much data there is, and why."""

from __future__ import annotations

import math
from dataclasses import dataclass

from training.errors import Message, message
from training.run.config import StageName

FROM_SCRATCH = 1e-3
TOKENIZER = 2e-4
PREDICTOR = 4e-5
CAREFUL = 1e-5
# Windows up to which the careful rate is advised, and from which the published one is.
FEW, MANY = 10_000, 100_000


@dataclass(frozen=True)
class Advice:
    """A learning rate, and why this one."""

    value: float
    reason: Message


def learning_rate(stage: StageName, windows: int, *, scratch: bool) -> Advice:
    """Return the highest learning rate to advise.

    The rates are those of the published recipe; its author advises 1e-5 or less where fine-tuning makes the predictor
    worse (issue 177 of shiyu-coder/Kronos). Between few and many windows the rate rises evenly on log scales.

    Parameters
    ----------
    windows
        Of the train split.
    scratch
        Weights begin at random.
    """
    if scratch:
        return Advice(
            FROM_SCRATCH, message("{rate}: weights that begin at random need a high rate.", rate=_shown(FROM_SCRATCH))
        )
    if stage == "tokenizer":
        return Advice(
            TOKENIZER, message("{rate}, as in the published recipe for the tokenizer.", rate=_shown(TOKENIZER))
        )
    if windows <= FEW:
        reason = message(
            "{rate}: {windows} training windows are few, and a higher rate would soon make the model forget more "
            "than it learns.",
            rate=_shown(CAREFUL), windows=windows,
        )  # fmt: skip
        return Advice(CAREFUL, reason)
    if windows >= MANY:
        reason = message(
            "{rate}, as in the published recipe for the predictor: {windows} training windows are enough for it.",
            rate=_shown(PREDICTOR), windows=windows,
        )  # fmt: skip
        return Advice(PREDICTOR, reason)
    value = _two_digits(CAREFUL * (windows / FEW) ** (math.log(PREDICTOR / CAREFUL) / math.log(MANY / FEW)))
    reason = message(
        "{rate}: between {low}, for few training windows, and the published recipe's {high}; there are {windows}.",
        rate=_shown(value), low=_shown(CAREFUL), high=_shown(PREDICTOR), windows=windows,
    )  # fmt: skip
    return Advice(value, reason)


def _two_digits(value: float) -> float:
    return float(f"{value:.1e}")


def _shown(rate: float) -> str:
    return f"{rate:g}"
