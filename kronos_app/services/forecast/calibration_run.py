"""The evaluation that calibrates a forecast: past cutoffs of its series with its setup, none after its own cutoff."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kronos_app.errors import InvalidInput
from kronos_app.i18n import text
from kronos_app.services.evaluation.request import EvaluationRequest
from kronos_app.services.forecast.calibration import Calibration, Calibrations

if TYPE_CHECKING:
    from kronos_app.services.candles.service import CandleService
    from kronos_app.services.evaluation.run import Evaluation
    from kronos_app.services.evaluation.service import EvaluationService
    from kronos_app.services.forecast.view import ForecastView

CUTOFFS = 30  # their forecasts do not overlap
SETUP = ("temperature", "top_p", "top_k", "samples", "driftless")


@dataclass(eq=False)
class CalibrationRuns:
    """Starts and finds the evaluations that calibrate forecasts; every thread may use it."""

    _calibrations: Calibrations
    _candles: CandleService
    _evaluations: EvaluationService

    def start(self, view: ForecastView) -> Evaluation:
        """Return the evaluation that calibrates a forecast: one that exists, else a new one, which is queued.

        Raises InvalidInput or NotFound (as `find`), Conflict, TooLarge or Unavailable (as `EvaluationService.start`).
        """
        run, known = self.find(view), self._calibrations.find(view)
        if isinstance(known, Calibration) and known.evaluation is not None and known.same_window:
            return self._evaluations.get(known.evaluation)
        if run is None or run.report is not None:
            return self._evaluations.start(self._request(view))
        return run if run.active else self._evaluations.resume(run.id)

    def find(self, view: ForecastView) -> Evaluation | None:
        """Return the newest evaluation that was started to calibrate this setup at this cutoff, with its state.

        Raises InvalidInput (the candles up to the cutoff are too few, or the forecast has one path) or NotFound (the
        data set was deleted).
        """
        request = self._request(view)
        return next((run for run in self._evaluations.list() if run.request == request), None)

    def _request(self, view: ForecastView) -> EvaluationRequest:
        stored = view.stored
        if len(stored.paths) < 2:
            raise InvalidInput(
                "one_path_to_calibrate",
                text("A forecast of a single path has no bands to calibrate."),
                text("Set samples to 2 or more."),
            )
        self._check_length(view)
        setup = {name: stored.request[name] for name in SETUP if stored.request.get(name) is not None}
        return EvaluationRequest.build(
            {
                **setup,
                "data": {"kind": "candle_sets", "candle_sets": [stored.candles_id]},
                "models": [view.model],
                "lookback": stored.provenance["history_rows"],
                "horizon": len(stored.timestamps),
                "until": stored.cutoff.to_pydatetime(),
                "n_windows": CUTOFFS,
                "fitted": False,
            }
        )

    def _check_length(self, view: ForecastView) -> None:
        from training.evaluation.calibration import FEWEST

        stored, horizon = view.stored, len(view.stored.timestamps)
        candles = self._candles.get(stored.candles_id).candles
        rows = int(candles.timestamps.searchsorted(stored.cutoff, side="right"))
        needed = int(stored.provenance["history_rows"]) + FEWEST * horizon
        if rows < needed:
            raise InvalidInput(
                "too_few_to_calibrate",
                text(
                    "Calibration needs {needed} candles up to the cutoff, for {fewest} past forecasts of {horizon} "
                    "candles each; there are {rows}.",
                    needed=needed,
                    fewest=FEWEST,
                    horizon=horizon,
                    rows=rows,
                ),
                text("Use a longer data set or a later cutoff, or a shorter lookback or horizon."),
            )
