"""The folders of backtests, `backtests/ID` in the home folder.

Beside what `work_folders` keeps, `signals/` is what `walk.signals` keeps day by day, and `result/` (tables of the
backtest) is there once it has finished.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kronos_app.errors import NotFound, Unavailable
from kronos_app.i18n import Text, text
from kronos_app.services.backtest.request import BacktestRequest
from kronos_app.services.backtest.universe import Member
from kronos_app.services.core.training_errors import training_errors
from kronos_app.services.runs.folders import REPORT, Copied, Work, WorkFolders

if TYPE_CHECKING:
    from training.portfolio.records import Backtest


class KeptBacktest(Work[BacktestRequest]):
    """A backtest's folder, and what was asked for when it was made.

    Attributes
    ----------
    members
        Instruments that are traded.
    """

    members: tuple[Member, ...]

    def result(self) -> Backtest:
        """Return its days, holdings and trades.

        Raises
        ------
        InvalidInput
            It has not finished, or its files are damaged.
        """
        from training.portfolio.records import Backtest

        with training_errors(lambda _told: text("The backtest {id} has no result that can be read.", id=self.id)):
            return Backtest.load(self.path / "result")

    def write(self, result: Backtest, report: dict[str, Any]) -> None:
        """Keep what came of it; the report comes last.

        Raises
        ------
        Unavailable
            The folder cannot be written to.
        """
        from training.run.folder import write_json

        try:
            with training_errors():
                result.save(self.path / "result")
                write_json(self.path / REPORT, report)
        except OSError as error:
            raise _not_kept(error.strerror or str(error)) from error


class BacktestFolders(WorkFolders[KeptBacktest]):
    """All backtests of a home folder; every thread may use it."""

    kind = KeptBacktest

    def make(
        self, request: BacktestRequest, copy: Callable[[Path], Sequence[Member]], notes: Sequence[Text]
    ) -> KeptBacktest:
        """Make the folder of a new backtest; `copy` writes its candles and returns the instruments that are traded.

        Raises
        ------
        Unavailable
            The disk is full, or the folder cannot be written to.
        """

        def copied(folder: Path) -> Copied:
            members = copy(folder)
            return [one.name for one in members], {"members": [asdict(one) for one in members]}

        return self._made(request, notes, copied)

    def _missing(self, saved_id: str) -> NotFound:
        return NotFound(
            "backtest_not_found",
            text("There is no backtest {id}.", id=saved_id),
            text("It may have been deleted; the Backtest page lists what there is."),
        )

    def _unwritable(self, reason: str) -> Unavailable:
        return _not_kept(reason)


def _not_kept(reason: str) -> Unavailable:
    return Unavailable(
        "backtest_not_kept",
        text("The backtest could not be kept: {reason}.", reason=reason),
        text("Check the free space and the permissions of the app's home."),
    )
