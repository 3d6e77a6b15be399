"""Names and tags of candle sets: a change of them, and names that differ from those of all other sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from threading import Lock
from typing import TYPE_CHECKING

from pydantic import Field

from kronos_app.errors import Conflict, NotFound
from kronos_app.i18n import text
from kronos_app.services.core.labels import LONGEST_NAME, Name, Tags
from kronos_app.services.core.request import Request
from kronos_app.store.records import CandleSet, Labels

if TYPE_CHECKING:
    from kronos_app.store import Store


class LabelChange(Request):
    """A change of the name or the tags of a candle set; a field that is absent leaves them as they are."""

    name: Name | None = Field(None, description="The new name, which no other candle set may have; null: the first.")
    tags: Tags | None = Field(None, description="The new tags in place of all old ones; null or empty: none.")


class LabelService:
    """Gives candle sets names, no two the same, and tags; thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._naming = Lock()

    def put_all(self, sets: Sequence[CandleSet]) -> list[CandleSet]:
        """Save candle sets, all or none, and return them with the names and tags of `label_apart`."""
        with self._naming:
            labelled = label_apart(sets, self._store.candles.labels())
            self._store.candles.put_all(labelled)
        return labelled

    def change(self, candles_id: str, change: LabelChange) -> None:
        """Change the name or the tags of a saved set; forecasts keep the name that it had when they were made.

        Raises
        ------
        NotFound
            No such set.
        Conflict
            Another set has the name.
        """
        values = change.model_dump(exclude_unset=True)
        with self._naming:
            info = self._store.candles.find(candles_id)
            if info is None:
                raise missing(candles_id)
            if "name" in values:
                title = values.pop("name") or info.name
                self._check_free(title, candles_id)
                values["given_name"] = None if title == info.name else title
            if values:
                self._store.candles.update(candles_id, **values)

    def all_tags(self) -> list[str]:
        """Return the tags of all saved sets, sorted."""
        return self._store.candles.tags()

    def _check_free(self, title: str, candles_id: str) -> None:
        labels = self._store.candles.labels()
        if title.casefold() in {other.title.casefold() for key, other in labels.items() if key != candles_id}:
            raise Conflict(
                "name_taken",
                text("Another data set has the name “{name}”.", name=title),
                text("Choose another name, or rename the other data set first."),
            )


def missing(candles_id: str) -> NotFound:
    """Return the error of a candle set that does not exist."""
    return NotFound(
        "candles_not_found",
        text("There are no candles {id}.", id=candles_id),
        text("They may have been deleted: upload them again."),
    )


def label_apart(sets: Sequence[CandleSet], known: Mapping[str, Labels]) -> list[CandleSet]:
    """Return the sets with a number behind each name that another set has, such as “AAPL (2)”.

    A set that is saved already keeps its name and its tags unless it comes with others.

    Parameters
    ----------
    known
        Names and tags of the saved sets, by id.
    """
    known = dict(known)
    taken = {labels.title.casefold() for labels in known.values()}
    for candle_set in sets:
        name, old = candle_set.candles.name, known.get(candle_set.id)
        title = candle_set.given_name or (name if old is None else old.title)
        if old is None or title.casefold() != old.title.casefold():
            title = _find_free(title, taken)
            taken.add(title.casefold())
        known[candle_set.id] = Labels(title, candle_set.tags or (() if old is None else old.tags))
    return [
        replace(
            candle_set,
            given_name=None if (title := known[candle_set.id].title) == candle_set.candles.name else title,
            tags=known[candle_set.id].tags,
        )
        for candle_set in sets
    ]


def _find_free(title: str, taken: set[str]) -> str:
    if title.casefold() not in taken:
        return title
    suffixes = (f" ({number})" for number in count(2))
    numbered = (title[: LONGEST_NAME - len(suffix)] + suffix for suffix in suffixes)
    return next(one for one in numbered if one.casefold() not in taken)
