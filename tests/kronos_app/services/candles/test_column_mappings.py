"""Columns that were chosen for a header, remembered for the next file with it."""

import pytest

from kronos_app.data.upload.mapping import ColumnMapping
from kronos_app.store.column_mappings import StoredMapping

FILE = b"when,A,B,K,D\n2024-01-02,10,12,9,11\n2024-01-03,11,13,10,12\n"
MAPPING = ColumnMapping(
    columns={"when": "timestamp", "A": "open", "B": "high", "K": "low", "D": "close"}, units={"open": 2.0}
)


@pytest.fixture
def remembered(desk):
    shown = desk.column_mappings.preview(FILE, "odd.csv", MAPPING)
    desk.column_mappings.remember(shown, MAPPING)
    return desk.column_mappings


def test_a_mapping_is_found_for_another_file_with_the_same_header_and_for_no_other(remembered):
    assert remembered.find(FILE.replace(b"11", b"99"), "next.csv") == MAPPING
    assert remembered.find(FILE.replace(b"when", b"then"), "next.csv") is None
    assert remembered.find(b"\x00\x01", "rubbish.csv") is None


def test_the_latest_choice_for_a_header_counts(remembered):
    shown = remembered.preview(FILE, "odd.csv", MAPPING)
    other = MAPPING.model_copy(update={"timezone": "Asia/Shanghai"})
    remembered.remember(shown, other)
    assert remembered.find(FILE, "odd.csv") == other
    remembered.forget(shown)
    assert remembered.find(FILE, "odd.csv") is None


def test_a_mapping_that_this_version_does_not_understand_is_logged_and_not_used(remembered, desk, caplog):
    shown = remembered.preview(FILE, "odd.csv", MAPPING)
    header = desk.column_mappings
    desk.store.column_mappings.put(StoredMapping(_stored_header(desk), ["when"], {"columns": {"when": "moon"}}))
    assert header.find(FILE, "odd.csv") is None
    assert "cannot be read and are not used" in caplog.text
    assert shown.problem is None


def _stored_header(desk):
    from kronos_app.services.candles.column_mappings import _digest

    return _digest(["when", "A", "B", "K", "D"])
