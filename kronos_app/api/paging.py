"""Pages of lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Query

Item = TypeVar("Item")

MOST = 10_000


@dataclass(frozen=True)
class Page:
    """The part of a list to return."""

    limit: int
    offset: int

    def of(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return this part of a list in memory."""
        return items[self.offset : self.offset + self.limit]


def _page(
    limit: Annotated[int, Query(ge=1, le=MOST, description="Maximum number of entries.")] = 100,
    offset: Annotated[int, Query(ge=0, le=2**31 - 1, description="Number of entries to skip.")] = 0,
) -> Page:
    return Page(limit, offset)


PageOf = Annotated[Page, Depends(_page)]
