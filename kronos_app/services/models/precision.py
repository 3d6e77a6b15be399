"""Precisions of a predictor's weights: memory, and what a smaller one costs in accuracy (docs/benchmarks.md)."""

from __future__ import annotations

from pydantic import Field

from kronos_app.services.core.view import View

IN_USE = "float32"  # by this app; the engine takes the others as `weights=`
MEASURED_ON = "kronos-nano"
# Bytes of a weight, and the change of CRPS with its standard error; float32 keeps the network as it was read as well.
BYTES: dict[str, int] = {"float32": 8, "float16": 2, "int8": 1}
COSTS: dict[str, tuple[float, float]] = {"float16": (0.0004, 0.0004), "int8": (0.0085, 0.0037)}


class PrecisionFacts(View):
    """The weights of a predictor in one precision."""

    precision: str
    memory_bytes: int = Field(description="Memory of the predictor's weights, without its tokenizer; an estimate.")
    crps_change: float | None = Field(description="Relative to float32, measured on kronos-nano; null for float32.")
    crps_error: float | None = Field(description="One standard error of `crps_change`.")


def describe_precisions(parameters: int) -> list[PrecisionFacts]:
    """Return the facts of each precision for a predictor with this number of parameters."""
    return [
        PrecisionFacts(
            precision=precision,
            memory_bytes=size * parameters,
            crps_change=COSTS[precision][0] if precision in COSTS else None,
            crps_error=COSTS[precision][1] if precision in COSTS else None,
        )
        for precision, size in BYTES.items()
    ]
