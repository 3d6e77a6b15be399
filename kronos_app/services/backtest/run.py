"""Backtests, saved in `backtests/ID` of the home folder.

`candles/` holds a copy of the candles, `signals/` the signals of each day, `result/` the tables once it has finished.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from kronos_app.i18n import Text, text
from kronos_app.services.backtest.request import BacktestRequest
from kronos_app.services.backtest.universe import Member
from kronos_app.services.core.training_errors import training_errors
from kronos_app.services.runs.job_run import JobRun, JobSummary
from kronos_app.services.runs.run import RunFolders, Summary

if TYPE_CHECKING:
    from training.portfolio.records import Backtest as Result

EARLIER = {"temperature": 1.0, "top_p": 1.0, "driftless": False}  # of backtests before setups were saved


class BacktestSummary(JobSummary):
    """The fields of the report that a list shows."""

    verdict: Text
    percentile: float
    figures: dict[str, float | str | None]


class Backtest(JobRun[BacktestRequest]):
    """A backtest.

    Attributes
    ----------
    members
        Instruments that are traded.
    """

    kind: ClassVar[str] = "backtest"
    noun: ClassVar[Text] = text("backtest")
    nouns: ClassVar[Text] = text("backtests")
    summary: ClassVar[type[Summary]] = BacktestSummary
    private: ClassVar[frozenset[str]] = frozenset({"pace"})

    members: SkipJsonSchema[tuple[Member, ...]] = Field(exclude=True)
    instruments: int = Field(0, description="That are traded.")
    verdict: Text | None = Field(None, description="The result beside random signals and the benchmarks.")
    percentile: float | None = Field(None, description="Share of random signals that earned less by the same rule.")
    figures: dict[str, float | str | None] | None = None

    @model_validator(mode="before")
    @classmethod
    def _count_instruments(cls, fields: dict[str, Any]) -> dict[str, Any]:
        return {**fields, "instruments": len(fields.get("members", ()))}

    @model_validator(mode="before")
    @classmethod
    def _add_setup(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of a backtest of an earlier version with its setup: those forecast with drift."""
        request = fields.get("request")
        return {**fields, "request": EARLIER | request} if isinstance(request, dict) else fields

    def read_result(self) -> Result:
        """Return days, holdings and trades.

        Raises InvalidInput (the backtest has not finished, or its files are damaged).
        """
        from training.portfolio.records import Backtest as Result

        with training_errors(lambda _message: text("The backtest {id} has no result that can be read.", id=self.id)):
            return Result.load(self.path / "result")

    def write_result(self, result: Result, report: dict[str, Any]) -> None:
        """Write the tables, then the report.

        Raises Unavailable (the folder cannot be written to).
        """
        self.write_report(report, lambda: result.save(self.path / "result"))


BacktestFolders = RunFolders[Backtest]
