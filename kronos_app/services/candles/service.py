"""Candles for pages and API: read a file or a sample, inspect it, repair it, save the result."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Unpack

from kronos_app.data import sample
from kronos_app.data.calendars import with_calendar, with_calendars
from kronos_app.data.candle_arrays import CandleArrays
from kronos_app.data.checks import quality, repair
from kronos_app.data.time_axis import TimeAxes
from kronos_app.data.upload import reader
from kronos_app.data.upload.reader import ReadOptions
from kronos_app.errors import InvalidInput
from kronos_app.services.candles.inline import to_csv_bytes
from kronos_app.services.candles.labels import LabelChange, LabelService, missing
from kronos_app.services.candles.series_choices import Refusal, SeriesChoice
from kronos_app.store.records import ANY_CANDLE_SET, CandleSet, CandleSetFilter, CandleSetInfo

if TYPE_CHECKING:
    from kronos_app.data.checks.quality import QualityReport
    from kronos_app.data.checks.repair import Repaired
    from kronos_app.data.draft import Draft
    from kronos_app.data.sample import SampleInfo
    from kronos_app.settings import Settings
    from kronos_app.store import Store

Infos = list[CandleSetInfo]
Sets = list[CandleSet]
OnStep = Callable[[int, int], None]


class CandleService:
    """Reads, inspects, repairs and saves candle sets."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self.labels = LabelService(store)

    def read(self, content: bytes, filename: str, **options: Unpack[ReadOptions]) -> Draft:
        """Return the candles of an uploaded file with one instrument.

        Raises InvalidInput or TooLarge: the file is not candles, holds those of several instruments, or is over a
        limit.
        """
        return with_calendar(reader.read(content, filename, settings=self._settings, **options))

    def read_all(self, content: bytes, filename: str, **options: Unpack[ReadOptions]) -> list[Draft]:
        """Return the candles of an uploaded file, one draft an instrument.

        Raises InvalidInput or TooLarge: the file is not candles, or over a limit.
        """
        return with_calendars(reader.read_all(content, filename, settings=self._settings, **options))

    def read_inline(self, candles: Any, name: str, start: datetime | None = None, interval: str | None = None) -> Draft:
        """Return candles that arrived as row objects or columns, read as if they were a file; row 1 is its header."""
        return self.read(to_csv_bytes(candles), f"{name}.csv", start=start, interval=interval)

    def samples(self) -> dict[str, SampleInfo]:
        """Return the real series that come with the app, by name."""
        return dict(sample.SAMPLES)

    def sample(self, name: str) -> Draft:
        """Return a bundled series."""
        return sample.load(name)

    def inspect(self, draft: Draft) -> QualityReport:
        """Return the quality report of a draft."""
        return quality.inspect(draft)

    def inspect_all(self, drafts: Iterable[Draft]) -> Iterator[QualityReport]:
        """Yield the report of each draft as `inspect` returns it, faster where drafts have the same times."""
        axes = TimeAxes()
        for draft in drafts:
            yield quality.inspect(draft, axes=axes)

    def preview(
        self, draft: Draft, choice: str | None, fixes: Collection[str] = (), interval: str | None = None
    ) -> Repaired:
        """Return the candles after a repair, the `fixes` and the change of interval, and what they changed.

        Raises InvalidInput: the data needs a choice and got none, no model can read it, or a fix or interval does not
        exist.
        """
        return repair.apply(draft, choice, fixes, interval)

    def save(
        self, repaired: Repaired, report: QualityReport, name: str | None = None, tags: Sequence[str] = ()
    ) -> CandleSet:
        """Save repaired candles under an id that depends on times and values alone.

        Raises InvalidInput: the name or a tag is too long, or there are too many tags.
        """
        labels = LabelChange.build({"name": (name or "").strip() or None, "tags": list(tags)})
        candle_set = _candle_set(repaired, report, TimeAxes())
        named = replace(candle_set, given_name=labels.name, tags=tuple(labels.tags or ()))
        return self.labels.put_all([named])[0]

    def save_all(self, repaired: Sequence[tuple[Repaired, QualityReport]]) -> list[CandleSet]:
        """Save several series as `save` does, all of them or, where the store fails, none."""
        axes = TimeAxes()
        return self.labels.put_all([_candle_set(candles, report, axes) for candles, report in repaired])

    def keep(
        self, draft: Draft, choice: str | None = None, fixes: Collection[str] = (), interval: str | None = None
    ) -> CandleSet:
        """Repair and save a draft in one step."""
        return self.save(self.preview(draft, choice, fixes, interval), self.inspect(draft))

    def keep_all(
        self,
        drafts: Sequence[Draft],
        choice: str | None = None,
        fixes: Collection[str] = (),
        interval: str | None = None,
        on_step: OnStep | None = None,
    ) -> list[CandleSet]:
        """Repair and save several drafts; nothing is saved where one of them cannot be.

        Parameters
        ----------
        on_step
            Called with how many series are ready and how many there are; it may raise to cancel, and nothing is saved.

        Raises
        ------
        InvalidInput
            As `preview`, of the first draft that it refuses.
        """
        return self.save_all(self.prepare_all(drafts, choice, fixes, interval, on_step))

    def keep_possible(
        self, choices: Sequence[SeriesChoice], on_step: OnStep | None = None
    ) -> tuple[Sets, list[Refusal]]:
        """Repair and save what can be saved, all of it or, where the store fails, none; return it and the refusals.

        Parameters
        ----------
        on_step
            As for `keep_all`.
        """
        refused: list[Refusal] = []
        ready = _prepare(choices, on_step, refused)
        return self.save_all(ready), refused

    def prepare_all(
        self,
        drafts: Sequence[Draft],
        choice: str | None = None,
        fixes: Collection[str] = (),
        interval: str | None = None,
        on_step: OnStep | None = None,
    ) -> list[tuple[Repaired, QualityReport]]:
        """Return repaired candles and report of each draft; parameters and errors are those of `keep_all`."""
        return _prepare([SeriesChoice(draft, choice, tuple(fixes), interval) for draft in drafts], on_step)

    def get(self, candles_id: str) -> CandleSet:
        """Return a saved candle set.

        Raises NotFound: no such set.
        """
        saved = self._store.candles.get(candles_id)
        if saved is None:
            raise missing(candles_id)
        return saved

    def info(self, candles_id: str) -> CandleSetInfo:
        """Return the line of a saved set in the list; much faster than `get`.

        Raises NotFound: no such set.
        """
        info = self._store.candles.find(candles_id)
        if info is None:
            raise missing(candles_id)
        return info

    def list(self, where: CandleSetFilter = ANY_CANDLE_SET, *, limit: int | None = None, offset: int = 0) -> Infos:
        """Return the saved sets that fit, newest first."""
        return self._store.candles.list(where, limit=limit, offset=offset)

    def count(self, where: CandleSetFilter = ANY_CANDLE_SET) -> int:
        """Return how many saved sets fit."""
        return self._store.candles.count(where)

    def delete(self, candles_id: str) -> None:
        """Delete a candle set; forecasts made from it stay, without history and comparison."""
        self._store.candles.delete(candles_id)


def _prepare(
    choices: Sequence[SeriesChoice], on_step: OnStep | None, refused: list[Refusal] | None = None
) -> list[tuple[Repaired, QualityReport]]:
    """Return repaired candles and report of each series; a refusal is raised unless there is a list for it."""
    axes = TimeAxes()
    ready = []
    for number, choice in enumerate(choices):
        if on_step is not None:
            on_step(number, len(choices))
        draft, arrays = choice.draft, CandleArrays.of(choice.draft.frame)
        try:
            repaired = repair.apply(draft, choice.repair, choice.fixes, choice.interval, arrays=arrays)
        except InvalidInput as error:
            if refused is None:
                raise
            refused.append((draft.name, error.message))
            continue
        ready.append((repaired, quality.inspect(draft, axes=axes, arrays=arrays)))
    return ready


def _candle_set(repaired: Repaired, report: QualityReport, axes: TimeAxes) -> CandleSet:
    candles = repaired.candles
    score = quality.score_of(candles, axes=axes) if repaired.touched else report.score
    return CandleSet(candles.digest[:16], candles, report.to_dict(), repaired.record | {"score": score})
