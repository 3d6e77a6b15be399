from __future__ import annotations

import ast
import string

import pytest

from kronos_app.i18n import LANGUAGES, translate
from kronos_app.locales.update import FOLDERS, KEYWORDS, ROOT, read, source_strings

TRANSLATED = [language for language in LANGUAGES if language != "en"]


def fields(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


@pytest.fixture(scope="module")
def wanted() -> set[str]:
    return {str(message.id) for message in source_strings() if message.id}


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_string_of_the_source_has_a_translation(language: str, wanted: set[str]) -> None:
    translated = {str(message.id) for message in read(language) if message.id and message.string}
    assert wanted - translated == set(), "run python -m kronos_app.locales.update and translate what is new"


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_translation_is_left_of_a_string_that_is_gone(language: str, wanted: set[str]) -> None:
    catalog = read(language)
    assert {str(message.id) for message in catalog if message.id} - wanted == set()
    assert not catalog.obsolete


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_translation_is_marked_as_a_guess(language: str) -> None:
    assert [message.id for message in read(language) if message.id and message.fuzzy] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_translations_have_the_fields_of_their_source(language: str) -> None:
    for message in read(language):
        if message.id:
            assert fields(str(message.id)) == fields(str(message.string)), message.id


def test_extraction_finds_pages_services_and_model_descriptions(wanted: set[str]) -> None:
    assert {"Run forecast", "There is no forecast {id}."} <= wanted
    assert any("Largest published model" in sentence for sentence in wanted)


def test_extraction_finds_what_training_remarks(wanted: set[str]) -> None:
    assert any("is being trained by another process" in sentence for sentence in wanted)


def test_the_catalog_that_is_read_at_run_time_answers_in_chinese() -> None:
    assert translate("Run forecast", "zh_CN") == "开始预测"


def test_no_string_hides_in_an_f_string_where_extraction_does_not_look() -> None:
    hidden = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        for outer in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(outer, ast.JoinedStr)
        for node in ast.walk(outer)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KEYWORDS
    ]
    assert hidden == []
