"""The folders of evaluations, `evaluations/ID` in the home folder.

Beside what `work_folders` keeps, `scores/` is what `walk_forward` keeps, batch by batch, and `scores.csv` is there once
it has finished.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kronos_app.errors import NotFound, Unavailable
from kronos_app.i18n import Text, text
from kronos_app.services.core.training_errors import training_errors
from kronos_app.services.evaluation.request import EvaluationRequest
from kronos_app.services.runs.folders import REPORT, Copied, Work, WorkFolders
from kronos_app.services.selection.training_files import Part, write

if TYPE_CHECKING:
    from training.evaluation.cutoffs import Series

SCORES = "scores.csv"


class Evaluation(Work[EvaluationRequest]):
    """An evaluation's folder, and what was asked for when it was made.

    Attributes
    ----------
    series, cutoffs
        How many of each there are, as far as that was known when it was made.
    """

    series: int
    cutoffs: int

    @property
    def scores(self) -> Path:
        """Return the folder of `walk_forward`."""
        return self.path / "scores"

    def read(self) -> list[Series]:
        """Return its candles, which nothing changes any more."""
        from training.evaluation.command import read_series

        return list(read_series((self.path / "candles").glob("*/*.parquet")))

    def write_report(self, report: dict[str, Any], csv: str) -> None:
        """Keep what came of it.

        Raises
        ------
        Unavailable
            The folder cannot be written to.
        """
        from training.run.folder import write_json

        try:
            (self.path / SCORES).write_text(csv, encoding="utf-8")
        except OSError as error:
            raise _not_kept(error.strerror or str(error)) from error
        with training_errors():
            write_json(self.path / REPORT, report)

    def csv(self) -> str:
        """Return the scores of every forecaster at every cutoff, empty as long as there are none."""
        with suppress(OSError):
            return (self.path / SCORES).read_text(encoding="utf-8")
        return ""


class EvaluationFolders(WorkFolders[Evaluation]):
    """All evaluations of a home folder; every thread may use it."""

    kind = Evaluation

    def make(
        self, request: EvaluationRequest, parts: Sequence[Part], cutoffs: int, notes: Sequence[Text]
    ) -> Evaluation:
        """Make the folder of a new evaluation with a copy of its candles.

        Raises
        ------
        Unavailable
            The disk is full, or the folder cannot be written to.
        """

        def copy(folder: Path) -> Copied:
            write(parts, folder)
            return [part.name for part in parts], {"series": len(parts), "cutoffs": cutoffs}

        return self._made(request, notes, copy)

    def _missing(self, saved_id: str) -> NotFound:
        return NotFound(
            "evaluation_not_found",
            text("There is no evaluation {id}.", id=saved_id),
            text("It may have been deleted; the Evaluate page lists what there is."),
        )

    def _unwritable(self, reason: str) -> Unavailable:
        return _not_kept(reason)


def _not_kept(reason: str) -> Unavailable:
    return Unavailable(
        "evaluation_not_kept",
        text("The evaluation could not be kept: {reason}.", reason=reason),
        text("Check the free space and the permissions of the app's home."),
    )
