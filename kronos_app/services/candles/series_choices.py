"""Series with what was chosen for each, as one file: what a job reads after the session that chose is gone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from kronos_app.data.draft import Draft
from kronos_app.data.draft_file import from_bytes, to_bytes

_CHOICES = "choices.json"


@dataclass(frozen=True)
class SeriesChoice:
    """A draft, and the repair, the fixes and the interval that were chosen for it."""

    draft: Draft
    repair: str | None = None
    fixes: Sequence[str] = ()
    interval: str | None = None


def write_choices(path: Path, choices: Sequence[SeriesChoice]) -> None:
    """Write a ZIP archive of Parquet files, one a draft, and of the choices.

    Raises
    ------
    OSError
        The disk does not take it.
    """
    with ZipFile(path, "w") as archive:
        for number, choice in enumerate(choices):
            archive.writestr(f"{number}.parquet", to_bytes(choice.draft))
        values = [[choice.repair, list(choice.fixes), choice.interval] for choice in choices]
        archive.writestr(_CHOICES, json.dumps(values))


def read_choices(path: Path) -> list[SeriesChoice]:
    """Return what `write_choices` wrote.

    Raises
    ------
    OSError, ValueError
        The file is not there or is damaged.
    """
    try:
        with ZipFile(path) as archive:
            return [
                SeriesChoice(from_bytes(archive.read(f"{number}.parquet")), repair, tuple(fixes), interval)
                for number, (repair, fixes, interval) in enumerate(json.loads(archive.read(_CHOICES)))
            ]
    except (BadZipFile, KeyError) as error:
        raise ValueError(str(error)) from error
