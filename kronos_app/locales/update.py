"""Update the catalogs from the source: `python -m kronos_app.locales.update`.

New strings are added without a translation, removed strings are deleted. Nothing is guessed from similar strings.
"""

from __future__ import annotations

import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from kronos_app.i18n import LANGUAGES, LOCALES

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("kronos_app", "pages", "training")
# Sections of a run's config whose field descriptions are shown on pages.
EXPLAINED = (
    "RunConfig", "SplitConfig", "WindowConfig", "MethodConfig", "LoraConfig", "StageConfig", "JudgeConfig",
    "MachineConfig",
)  # fmt: skip
KEYWORDS = dict.fromkeys(("_", "text", "message", "TrainingError", "ConfigError", "DataError", "RunError", "Diverged"))


def source_strings() -> Catalog:
    """Return every string to be translated with its files."""
    from engine.loading.registry import REGISTRY
    from training.run import config

    catalog = Catalog(project="Kronos Desk", charset="utf-8")
    for folder in FOLDERS:
        found = extract_from_dir(ROOT / folder, [("**.py", "python")], keywords=KEYWORDS, comment_tags=())
        for file, line, message, comments, context in found:
            if message:  # text("") is an empty hint
                catalog.add(message, None, [(f"{folder}/{file}", line)], auto_comments=comments, context=context)
    for spec in REGISTRY.values():
        catalog.add(spec.description, None, [("engine/loading/registry.py", 1)])
    for section in EXPLAINED:
        for field in getattr(config, section).model_fields.values():
            catalog.add(field.description, None, [("training/run/config.py", 1)])
    return catalog


def path_of(language: str) -> Path:
    """Return the path of the catalog of a language."""
    return LOCALES / language / "LC_MESSAGES" / "kronos.po"


def read(language: str) -> Catalog:
    """Return the catalog of a language, empty if it does not exist."""
    path = path_of(language)
    if not path.exists():
        return Catalog(locale=language, project="Kronos Desk", charset="utf-8")
    with path.open("rb") as source:
        return read_po(source, locale=language)


def update(language: str) -> int:
    """Update the catalog of a language and return the number of strings without a translation."""
    catalog = read(language)
    catalog.update(source_strings(), no_fuzzy_matching=True)
    catalog.fuzzy = False
    catalog.header_comment = f"# Kronos Desk in {LANGUAGES[language]}; see docs/translating.md."
    path = path_of(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as target:
        write_po(target, catalog, width=120, sort_output=True, ignore_obsolete=True, include_lineno=False)
    return sum(1 for message in catalog if message.id and not message.string)


def main() -> None:
    """Update every catalog."""
    for language in LANGUAGES:
        if language != "en":
            sys.stdout.write(f"{path_of(language)}: {update(language)} string(s) to translate\n")


if __name__ == "__main__":
    main()
