"""Numbers of files: decimal marks, grouping, suffixes; whatever a whole column is written like reads back."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from kronos_app.data.upload import numbers


def column(*cells):
    return pa.chunked_array([pa.array(cells, pa.string())])


def parse(delimiter=",", **columns):
    """Return values by column, and the codes of the findings."""
    parsed, findings = numbers.parse({name: column(*cells) for name, cells in columns.items()}, delimiter)
    assert not any(part.bad.any() for part in parsed.values())
    return {name: part.values.tolist() for name, part in parsed.items()}, [f.code for f in findings]


def bad(*cells, name="open"):
    return numbers.parse({name: column(*cells)}, ",")[0][name].bad.tolist()


def write(value, decimals, point, group, sizes):
    """Return a number as text, its whole part grouped from the right by `sizes`, the last of them repeated."""
    whole, _, fraction = f"{value:.{decimals}f}".partition(".")
    parts = []
    for place in range(20):
        size = sizes[min(place, len(sizes) - 1)]
        whole, part = whole[:-size], whole[-size:]
        parts.insert(0, part)
        if not whole:
            break
    return group.join(parts) + (point + fraction if fraction else "")


STYLES = [
    (".", ",", (3,)), (",", ".", (3,)), (".", ",", (3, 2)), (".", " ", (3,)), (",", " ", (3,)), (".", "'", (3,)),
    (",", "\u202f", (3,)), (".", "", (30,)), (",", "", (30,)),
]  # fmt: skip


@profile(max_examples=100, deadline=None)
@given(
    prices=st.lists(st.integers(1, 10**9), min_size=3, max_size=12),
    volumes=st.lists(st.integers(0, 10**9), min_size=3, max_size=12),
    decimals=st.integers(0, 6),
    style=st.sampled_from(STYLES),
    delimiter=st.sampled_from([",", ";", "\t"]),
)
def test_any_grouping_and_mark_of_whole_columns_reads_back_or_is_said_to_be_open(
    prices, volumes, decimals, style, delimiter
):
    point, group, sizes = style
    count = min(len(prices), len(volumes))
    # Four digits without grouping, and others with it, are what no writer of one style produces.
    close = [price / 10**decimals for price in prices[:count]]
    cells = [write(price, decimals, point, group, sizes) for price in close]
    traded = [write(volume, 0, point, group, sizes) for volume in volumes[:count]]
    values, codes = parse(delimiter, close=cells, volume=traded)
    if "ambiguous_decimal" in codes:
        marked = [cell for cell in cells + traded if "." in cell or "," in cell]
        assert all(len(cell.replace(",", ".").split(".")[-1]) == 3 for cell in marked)
        return
    # One column of three decimals throughout and small whole volumes: decimals, as prices of yen have them.
    assume(not (group == "." and all(len(cell) <= 7 for cell in cells) and all(len(cell) <= 3 for cell in traded)))
    np.testing.assert_allclose(values["close"], [float(f"{price:.{decimals}f}") for price in close], rtol=1e-15)
    assert values["volume"] == volumes[:count]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1,24,945.50", "99,999.00"], [124945.5, 99999.0]),
        (["60,58,042", "1,28,03,123", "99,000"], [6058042, 12803123, 99000]),
        (["14,68,75,10,797.53", "1.00"], [14687510797.53, 1]),
        (["1.234.567,5", "2,25"], [1234567.5, 2.25]),
        (["1'234.5", "12'345'678"], [1234.5, 12345678]),
        (["1 234,5", "12 345 678,25"], [1234.5, 12345678.25]),
        (["$1,234.50", "€2", "₹ 3", "Rs.4"], [1234.5, 2, 3, 4]),
        (["１２．５", "−3.5", "+4"], [12.5, -3.5, 4]),
        (["1e5", "2.5E-3", "1e400"], [1e5, 2.5e-3, np.inf]),
        ([".5", "5.", "-0.25"], [0.5, 5, -0.25]),
    ],
)
def test_written_numbers_are_read(cells, expected):
    assert parse(open=cells)[0]["open"] == expected


@pytest.mark.parametrize(
    "cell", ["e1", ".", ",", "-", "1,2,3", "1.2.3", "1,23,45", "12,3456,789", "abc", "1e", "--1", "1 2 a"]
)
def test_what_is_no_number_is_a_bad_cell_or_empty(cell):
    assert bad(cell, "1.5") == [cell != "-", False]


def test_numbers_from_1000_on_with_a_mark_and_smaller_ones_without_are_grouped():
    values, codes = parse("\t", open=["986", "1.003", "998"], volume=["6.720", "21.000", "7.240"])
    assert (values["open"], values["volume"], codes) == ([986, 1003, 998], [6720, 21000, 7240], [])
    values, codes = parse(";", close=["151.278", "151.429"], volume=["672", "2,100"])
    assert (values["close"], values["volume"], codes) == ([151.278, 151.429], [672, 2100], [])
    values, codes = parse(";", close=["151,278", "151,429"], volume=["672", "2.100"])
    assert (values["close"], values["volume"], codes) == ([151.278, 151.429], [672, 2100], [])


def test_three_decimals_throughout_beside_whole_volumes_are_decimals():
    assert parse(close=["151.278", "151.429"], volume=["672", "2100"]) == (
        {"close": [151.278, 151.429], "volume": [672, 2100]},
        [],
    )
    assert parse(close=["151.278", "151.429"], volume=["67", "210"])[1] == []


def test_dots_that_may_be_either_are_said():
    values, codes = parse(";", close=["85.600", "85.700"] * 5, volume=["67.200", "210.000"] * 5)
    assert (values["close"][0], values["volume"][0], codes) == (85600, 67200, ["ambiguous_decimal"])
    values, codes = parse(";", close=["85.612", "85.703"] * 5, volume=["67.214", "210.031"] * 5)
    assert (values["close"][0], values["volume"][0], codes) == (85.612, 67.214, ["ambiguous_decimal"])


def test_a_column_that_speaks_for_itself_may_differ_from_the_others():
    values, _ = parse(";", close=["1.25", "2.50"], volume=["1.234.567", "2.345.678"])
    assert (values["close"], values["volume"]) == ([1.25, 2.5], [1234567, 2345678])


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1.40M", 1.4e6), ("12K", 12e3), ("3.2B", 3.2e9), ("0.30万", 3000), ("1.2亿", 1.2e8), ("5百万", 5e6),
        ("1.5 m", 1.5e6),
        ("2.5萬", 25000),
        ("3億", 3e8), ("1.2万手", 12000), ("7.5만", 75000), ("1,5 Mio", 1.5e6), ("2 Lakh", 2e5),
        ("1.5Cr", 1.5e7),
        ("3股", 3),
    ],
)  # fmt: skip
def test_suffixes_of_volumes_multiply_and_are_said(cell, value):
    values, codes = parse(volume=[cell, "17"])
    assert values["volume"] == pytest.approx([value, 17], rel=1e-12)
    assert codes == ["unit"]


def test_letters_behind_a_price_or_unknown_ones_are_unreadable():
    assert bad("1.2M", "3", name="close") == [True, False]
    assert bad("1.2X", "3K", name="volume") == [True, False]
    assert bad("1.2X", "3", name="volume") == [True, False]


@pytest.mark.parametrize(
    "kind",
    [pa.uint8(), pa.uint64(), pa.int64(), pa.float16(), pa.float32(), pa.decimal128(25, 3), pa.decimal256(40, 3)],
)
def test_numbers_of_any_type_are_read(kind):
    cells = pa.chunked_array([pa.array([1, None, 3], pa.int64()).cast(kind)])
    values = numbers.parse({"close": cells}, "")[0]["close"].values
    np.testing.assert_array_equal(values, [1, np.nan, 3])


@pytest.mark.parametrize("cell", ["450'2", "110'16", "450 2", "99'999'9"])
def test_a_mark_that_does_not_group_thousands_is_a_fraction_and_no_number(cell):
    assert bad(cell) == [True]


@pytest.mark.parametrize(
    "cell", ["1'234'567.5", "1 234 567.5", "12 34 567.5", "1'234'567.5 USD", "1 234 567.5 €", "1,234,567.5円"]
)
def test_groups_of_thousands_and_currencies_behind_are_read(cell):
    values, _ = parse(open=[cell, "1000.25"])
    assert values["open"] == [1234567.5, 1000.25]
