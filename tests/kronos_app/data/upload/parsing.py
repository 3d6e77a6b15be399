"""Columns of times as the reader parses them: the times and the findings."""

import pandas as pd
import pyarrow as pa

from kronos_app.data.upload import timestamps


def parse(cells, clock=None, **stated):
    """Parse a column of cells, with the times of day in a second column where `clock` is given."""
    columns = [cells] if clock is None else [cells, clock]
    arrays = [column if isinstance(column, pa.Array) else pa.array(column) for column in columns]
    return timestamps.parse(*(pa.chunked_array([array]) for array in arrays), **stated)


def times(parsed):
    return pd.DatetimeIndex(parsed.values)


def codes(parsed):
    return {finding.code for finding in parsed.findings}


def warnings(parsed):
    return {finding.code for finding in parsed.findings if finding.severity != "info"}
