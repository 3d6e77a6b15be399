import pytest

from kronos_app.widgets.kit import formats


@pytest.mark.parametrize(
    ("lang", "count", "day", "minutes"), [("en", "4.1M", "1 day", "2 min"), ("zh_CN", "410 万", "1 天", "2 分钟")]
)
def test_numbers_and_chinese_units_have_a_space_between_them(monkeypatch, lang, count, day, minutes):
    monkeypatch.setattr("kronos_app.state.language", lambda: lang)
    assert formats.compact(4_100_000) == count
    assert formats.span(86_400) == day
    assert formats.remaining(120) == minutes
