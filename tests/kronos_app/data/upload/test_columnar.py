"""Parquet and Feather files are rewritten by a child process, so that none of them can end the server."""

import io
import os
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from pyarrow import ipc

from kronos_app.data.upload.files import arrow_table
from kronos_app.data.upload.files.arrow_table import rewrite
from kronos_app.errors import InvalidInput, TooLarge

pytestmark = pytest.mark.child_process
LIMITS = {"limit": 20_000_000, "max_rows": 1_000}
CRASHING = Path(__file__).with_name(
    "crash.feather"
)  # some bytes changed; pyarrow crashes on it where it is not checked first


def table(rows=5):
    times = pd.date_range("2024-01-01", periods=rows, freq="h")
    return pa.table({"time": times, "close": [1.5] * rows, "symbol": ["AAPL"] * rows})


def content(kind, source=None):
    out = io.BytesIO()
    {"parquet": pa.parquet.write_table, "feather": pa.feather.write_feather}[kind](source or table(), out)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["parquet", "feather"])
def test_what_comes_out_is_what_was_put_in(kind):
    read = ipc.open_stream(rewrite(content(kind), kind, "a", **LIMITS)).read_all()
    assert read.column_names == ["time", "close", "symbol"]
    expected = table().to_pandas()
    pd.testing.assert_frame_equal(read.to_pandas().astype(expected.dtypes), expected)


def test_a_file_on_which_pyarrow_crashes_is_refused():
    with pytest.raises(InvalidInput, match="damaged or cut off"):
        rewrite(CRASHING.read_bytes(), "feather", "crash.feather", **LIMITS)


def test_a_child_that_crashes_is_a_damaged_file(monkeypatch):
    monkeypatch.setattr(arrow_table, "ROOT", Path("/"))  # where the module cannot be found
    with pytest.raises(InvalidInput, match="damaged or cut off"):
        rewrite(content("parquet"), "parquet", "a.parquet", **LIMITS)


@pytest.mark.parametrize("kind", ["parquet", "feather"])
def test_rows_and_bytes_are_limited_while_they_are_read(kind):
    with pytest.raises(TooLarge, match="more than 1000 rows"):
        rewrite(content(kind, table(1_001)), kind, "a", **LIMITS)
    with pytest.raises(TooLarge, match="larger than 0 MB"):
        rewrite(content(kind, table(1_000)), kind, "a", limit=10_000, max_rows=1_000)


def test_a_small_file_of_very_much_is_refused_by_memory():
    bomb = pa.table({"close": pa.array([0.0] * 60_000_000)})
    out = io.BytesIO()
    pa.feather.write_feather(bomb, out, compression="zstd", chunksize=60_000_000)
    assert len(out.getvalue()) < 1_000_000
    with pytest.raises(TooLarge, match="larger than 20 MB"):
        rewrite(out.getvalue(), "feather", "bomb.feather", limit=20_000_000, max_rows=10**9)


def test_the_child_knows_no_token(monkeypatch):
    monkeypatch.setenv("KRONOS_API_TOKEN", "s3cret")
    assert not [name for name in arrow_table._environment() if "KRONOS" in name]
    assert "PATH" in arrow_table._environment() or "PATH" not in os.environ
