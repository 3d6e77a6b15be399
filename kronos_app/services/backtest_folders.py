"""The folders of backtests: `backtests/ID` in the home folder, which are the truth about every one.

`desk.json` says what was asked for; `candles/` are the instruments as they were then, `signals/` what `walk.signals`
keeps day by day; `result/` (tables of the backtest) and `report.json` are there once it has finished.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kronos_app.errors import NotFound, Unavailable
from kronos_app.i18n import Text, text
from kronos_app.services.backtest_request import BacktestRequest
from kronos_app.services.backtest_universe import Member
from kronos_app.services.training_errors import training_errors
from kronos_app.store.records import now

if TYPE_CHECKING:
    from training.portfolio.records import Backtest

ID = re.compile(r"[a-f0-9]{12}")
DESK, REPORT = "desk.json", "report.json"
NAMED = 3  # instruments that an origin lists before it only counts
Kept = list["KeptBacktest"]


@dataclass(frozen=True)
class KeptBacktest:
    """A backtest's folder, and what was asked for when it was made.

    Attributes
    ----------
    request
        Its model is the name of exactly one version.
    origin
        The candles in words.
    members
        Instruments that are traded.
    notes
        What to know about the candles.
    """

    id: str
    path: Path
    created: datetime
    request: BacktestRequest
    origin: str
    members: tuple[Member, ...]
    notes: tuple[Text, ...]

    def report(self) -> dict[str, Any] | None:
        """Return what came of it, None as long as it has not finished."""
        path = self.path / REPORT
        try:
            return _report(path, path.stat().st_mtime_ns)
        except (OSError, ValueError):
            return None

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
        from training.run import write_json

        try:
            with training_errors():
                result.save(self.path / "result")
                write_json(self.path / REPORT, report)
        except OSError as error:
            raise _unwritable(error) from error


class BacktestFolders:
    """All backtests of a home folder; every thread may use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def list(self) -> Kept:
        """Return all backtests, newest first."""
        if not self.folder.is_dir():
            return []
        found = [_read(path) for path in self.folder.iterdir() if ID.fullmatch(path.name)]
        return sorted((one for one in found if one is not None), key=lambda one: one.created, reverse=True)

    def get(self, backtest_id: str) -> KeptBacktest:
        """Return a backtest.

        Raises
        ------
        NotFound
            There is none of this id.
        """
        found = _read(self.folder / backtest_id) if ID.fullmatch(backtest_id) else None
        if found is None:
            raise NotFound(
                "backtest_not_found",
                text("There is no backtest {id}.", id=backtest_id[:100]),
                text("It may have been deleted; the Backtest page lists what there is."),
            )
        return found

    def make(
        self, request: BacktestRequest, copy: Callable[[Path], Sequence[Member]], notes: Sequence[Text]
    ) -> KeptBacktest:
        """Make the folder of a new backtest; `copy` writes its candles and returns the instruments that are traded.

        Raises
        ------
        Unavailable
            The disk is full, or the folder cannot be written to.
        """
        from training.run import write_json

        self._tidy()
        path = self.folder / uuid4().hex[:12]
        try:
            path.mkdir(parents=True)
            members = copy(path / "candles")
            names = [one.name for one in members]
            kept = {
                "created": now().isoformat(),
                "request": request.model_dump(mode="json"),
                "origin": ", ".join(names[:NAMED]) + (f" + {len(names) - NAMED}" if len(names) > NAMED else ""),
                "members": [asdict(one) for one in members],
                "notes": [note.to_dict() for note in notes],
            }
            with training_errors():
                write_json(path / DESK, kept)  # last: what lacks it is not whole
        except OSError as error:
            raise _unwritable(error) from error
        finally:
            if not (path / DESK).exists():
                shutil.rmtree(path, ignore_errors=True)
        return self.get(path.name)

    def remove(self, backtest: KeptBacktest) -> None:
        """Delete a backtest; it is gone at once, however long deleting takes."""
        gone = self.folder / f".gone-{uuid4().hex}"
        with suppress(FileNotFoundError):
            backtest.path.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _tidy(self) -> None:
        """Delete what an interruption left behind: half-made and half-deleted backtests."""
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            half = ID.fullmatch(path.name) and not (path / DESK).exists() and time.time() - path.stat().st_mtime > 3600
            if path.is_dir() and (half or path.name.startswith(".gone-")):
                shutil.rmtree(path, ignore_errors=True)


@lru_cache(maxsize=128)
def _report(path: Path, _changed: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _read(path: Path) -> KeptBacktest | None:
    try:
        kept = json.loads((path / DESK).read_text(encoding="utf-8"))
        return KeptBacktest(
            id=path.name,
            path=path,
            created=datetime.fromisoformat(kept["created"]).astimezone(UTC),
            request=BacktestRequest.model_validate(kept["request"]),
            origin=kept["origin"],
            members=tuple(Member(**one) for one in kept["members"]),
            notes=tuple(Text.from_dict(note) for note in kept["notes"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _unwritable(error: OSError) -> Unavailable:
    return Unavailable(
        "backtest_not_kept",
        text("The backtest could not be kept: {reason}.", reason=error.strerror or str(error)),
        text("Check the free space and the permissions of the app's home."),
    )
