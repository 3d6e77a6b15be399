"""Parquet and Feather files are read in this process, not in one each, unless a test is about that."""

import pytest

from kronos_app.data.upload.files import arrow_child, arrow_table


@pytest.fixture(autouse=True)
def _read_columnar_here(request, monkeypatch):
    if request.node.get_closest_marker("child_process") is None:
        monkeypatch.setattr(
            arrow_table,
            "run_child",
            lambda kind, source, target, rows, size: arrow_child.rewrite(kind, str(source), str(target), rows, size),
        )
