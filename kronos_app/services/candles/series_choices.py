"""Stores drafts and the repairs chosen for them in one file, for the job that saves them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from kronos_app.data.draft import Draft
from kronos_app.data.draft_file import from_bytes, to_bytes
from kronos_app.i18n import Text

Refusal = tuple[str, Text]
"""The name of a series and why it cannot be saved."""
_CHOICES = "choices.json"


@dataclass(frozen=True)
class SeriesChoice:
    """A draft, with the repair, the fixes and the interval chosen for it."""

    draft: Draft
    repair: str | None = None
    fixes: Sequence[str] = ()
    interval: str | None = None


def write_choices(path: Path, choices: Sequence[SeriesChoice]) -> None:
    """Write a ZIP archive with a Parquet file per draft and the choices."""
    with ZipFile(path, "w") as archive:
        for number, choice in enumerate(choices):
            archive.writestr(f"{number}.parquet", to_bytes(choice.draft))
        values = [[choice.repair, list(choice.fixes), choice.interval] for choice in choices]
        archive.writestr(_CHOICES, json.dumps(values))


def read_choices(path: Path) -> list[SeriesChoice]:
    """Return what `write_choices` wrote; raise `OSError` or `ValueError` if the file is missing or damaged."""
    try:
        with ZipFile(path) as archive:
            return [
                SeriesChoice(from_bytes(archive.read(f"{number}.parquet")), repair, tuple(fixes), interval)
                for number, (repair, fixes, interval) in enumerate(json.loads(archive.read(_CHOICES)))
            ]
    except (BadZipFile, KeyError) as error:
        raise ValueError(str(error)) from error
