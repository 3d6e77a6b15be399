"""Lists of any length, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Query

Item = TypeVar("Item")

MOST = 10_000


@dataclass(frozen=True)
class Page:
    """Which part of a list to return."""

    limit: int
    offset: int

    def of(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return this part of a list that is in memory anyway."""
        return items[self.offset : self.offset + self.limit]


def _page(
    limit: Annotated[int, Query(ge=1, le=MOST, description="How many at most.")] = 100,
    offset: Annotated[int, Query(ge=0, le=2**31 - 1, description="How many to leave out first.")] = 0,
) -> Page:
    return Page(limit, offset)


PageOf = Annotated[Page, Depends(_page)]
