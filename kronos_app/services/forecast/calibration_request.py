"""The evaluation that calibrates a forecast: past cutoffs of its series with its setup, none after its own cutoff."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kronos_app.errors import InvalidInput
from kronos_app.i18n import text
from kronos_app.services.evaluation.request import EvaluationRequest

if TYPE_CHECKING:
    from kronos_app.data.candle_frame import CandleFrame
    from kronos_app.store.records import StoredForecast

CUTOFFS = 30  # their forecasts do not overlap
SETUP = ("temperature", "top_p", "top_k", "samples", "driftless")


def calibration_request(stored: StoredForecast, candles: CandleFrame) -> EvaluationRequest:
    """Return the request of the evaluation that calibrates a forecast of `candles`.

    Raises InvalidInput (the candles up to the cutoff are too few, or there is only one path).
    """
    from training.evaluation.calibration import FEWEST

    if len(stored.paths) < 2:
        raise InvalidInput(
            "one_path_to_calibrate",
            text("A forecast of a single path has no bands to calibrate."),
            text("Set samples to 2 or more."),
        )
    lookback, horizon = int(stored.provenance["history_rows"]), len(stored.timestamps)
    rows = int(candles.timestamps.searchsorted(stored.cutoff, side="right"))
    needed = lookback + FEWEST * horizon
    if rows < needed:
        raise InvalidInput(
            "too_few_to_calibrate",
            text(
                "Calibration needs {needed} candles up to the cutoff, for {fewest} past forecasts of {horizon} candles "
                "each; there are {rows}.",
                needed=needed,
                fewest=FEWEST,
                horizon=horizon,
                rows=rows,
            ),
            text("Use a longer data set or a later cutoff, or a shorter lookback or horizon."),
        )
    setup = {"lookback": lookback, "horizon": horizon, **{name: stored.request.get(name) for name in SETUP}}
    return EvaluationRequest.build(
        {
            **{name: value for name, value in setup.items() if value is not None},
            "data": {"kind": "candle_sets", "candle_sets": [stored.candles_id]},
            "models": [str(stored.provenance["model"])],
            "until": stored.cutoff.to_pydatetime(),
            "n_windows": CUTOFFS,
            "fitted": False,
        }
    )
