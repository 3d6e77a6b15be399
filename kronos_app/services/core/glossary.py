"""The glossary of the documents, as rows."""

from __future__ import annotations

from pathlib import Path

FILE = Path(__file__).resolve().parents[3] / "docs" / "glossary.md"


def read_glossary() -> list[tuple[str, str, str, str]]:
    """Return English term, Chinese term, English meaning and Chinese meaning of each row of docs/glossary.md."""
    rows = [line.strip("| ").split(" | ") for line in FILE.read_text("utf-8").splitlines() if line.startswith("| ")]
    return [(english, chinese, meaning, meaning_zh) for english, chinese, meaning, meaning_zh in rows[1:]]
