import pytest

from kronos_app.widgets.kit import names


@pytest.mark.parametrize(
    ("name", "width", "shown"),
    [
        ("sp500", 5, "sp500"),
        ("BTCUSDT_1h_2024.csv", 9, "BTCU….csv"),
        ("贵州茅台日线数据.csv", 11, "贵州茅….csv"),
        ("ab cd ef gh", 6, "ab…gh"),
    ],
)
def test_a_long_name_is_cut_in_the_middle_by_the_width_of_its_characters(name, width, shown):
    assert names.shorten(name, width) == shown


def test_only_a_name_that_is_cut_has_a_tooltip():
    assert names.whole("short_name") is None
    assert names.whole("a_" * 40) == "a\\_" * 40
    assert names.tooltip(["short", "x" * 41], "more") == "x" * 41 + "\n\nmore"
    assert names.tooltip(["short"]) is None
