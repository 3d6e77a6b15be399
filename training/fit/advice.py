"""The learning rate for an amount of data, and the reason for it."""

from __future__ import annotations

import math

from training.errors import Message, message
from training.run.config import StageName

FROM_SCRATCH = 1e-3
TOKENIZER = 2e-4
PREDICTOR = 4e-5
CAREFUL = 1e-5
# Up to FEW windows the careful rate is advised, from MANY on the published one.
FEW, MANY = 10_000, 100_000


def advise_rate(stage: StageName, windows: int, *, scratch: bool) -> tuple[float, Message]:
    """Return a peak learning rate for a number of training windows, and the reason.

    The rates are those of the published recipe; its author advises 1e-5 or less if fine-tuning makes the predictor
    worse (issue 177 of shiyu-coder/Kronos). Between few and many windows the rate is interpolated on log scales.

    Parameters
    ----------
    scratch
        Whether the weights start random.
    """
    if scratch:
        rate, reason = FROM_SCRATCH, message("random initial weights need a high rate.")
    elif stage == "tokenizer":
        rate, reason = TOKENIZER, message("as in the published recipe for the tokenizer.")
    elif windows <= FEW:
        rate, reason = (
            CAREFUL,
            message("{windows} training windows are few: a higher rate would soon overfit.", windows=windows),
        )
    elif windows >= MANY:
        rate, reason = (
            PREDICTOR,
            message("as in the published recipe for the predictor, with {windows} training windows.", windows=windows),
        )
    else:
        power = math.log(PREDICTOR / CAREFUL) / math.log(MANY / FEW)
        rate = float(f"{CAREFUL * (windows / FEW) ** power:.1e}")
        reason = message(
            "between {low} for few training windows and the published recipe's {high}, with {windows}.",
            low=f"{CAREFUL:g}",
            high=f"{PREDICTOR:g}",
            windows=windows,
        )
    return rate, message("{rate}: {reason}", rate=f"{rate:g}", reason=reason)
