"""Choosing the columns of a file whose header says nothing, on the Data page; remembered for the next file."""

import pytest

from kronos_app.i18n import translate
from kronos_app.widgets.candles import keys
from tests.app.conftest import page_text

LANGUAGES = ("en", "zh_CN")
ROWS = "".join(f"{day:02d}.01.2024;{10 + day};{12 + day};{9 + day};{11 + day};5\n" for day in range(1, 29))
ODD = ("when;A;B;K;D;traded\n" + ROWS).encode()
ROLES = {"timestamp": "when", "open": "A", "high": "B", "low": "K", "close": "D", "volume": "traded"}


def press(app, label, lang="en"):
    return next(button for button in app.button if button.label == translate(label, lang)).click().run()


def field(app, part):
    """Return the field of a role, or of `format` and `zone`, whatever the file is called by."""
    return next(box for box in app.selectbox if box.key.startswith(keys.MAPPING_FORM) and box.key.endswith(part))


def open_form(app):
    box = app.selectbox(key=keys.MAPPING_FILE)
    return box.set_value(box.options[0]).run()


def choose(app, roles):
    for role, header in roles.items():
        field(app, f".{role}").select(header)


@pytest.fixture
def upload(open_page):
    """Return a function that uploads a file on the Data page."""

    def upload(content, name="odd.csv", lang="en"):
        app = open_page("data", lang=lang)
        return app.file_uploader[0].upload(name, content, "text/csv").run()

    return upload


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_file_that_was_refused_is_read_by_the_columns_that_were_chosen(upload, lang):
    app = upload(ODD, lang=lang)
    assert len(app.error) == 1
    choose(app, ROLES)
    field(app, ".unit.volume").select("万")
    app = press(app, "Read with these columns", lang)
    assert not app.error, page_text(app)
    [draft] = [found for key, found in app.session_state[keys.DRAFT].items() if isinstance(found, list)][-1]
    assert draft.frame["close"].iloc[0] == 12
    assert draft.frame["volume"].iloc[0] == 50_000
    assert str(draft.frame["timestamp"].iloc[0]) == "2024-01-01 00:00:00"


def test_the_next_file_with_the_same_header_is_read_alike_until_it_is_forgotten(upload):
    app = upload(ODD)
    choose(app, ROLES)
    press(app, "Read with these columns")
    app = upload(ODD.replace(b";5\n", b";6\n"), "another.csv")
    assert not app.error, page_text(app)
    assert "Read by the columns that were chosen for files with this header: another.csv" in page_text(app)
    app = open_form(app)
    app = press(app, "Detect the columns again")
    assert len(app.error) == 1
    assert len(upload(ODD, "third.csv").error) == 1


def test_a_column_chosen_twice_is_refused_and_nothing_is_remembered(upload, desk):
    app = upload(ODD)
    choose(app, ROLES | {"volume": "D"})
    app = press(app, "Read with these columns")
    assert "Column “D” is chosen twice." in page_text(app)
    assert not desk.store.column_mappings.exist()


def test_columns_by_which_nothing_can_be_read_say_why_and_are_not_remembered(upload, desk):
    app = upload(ODD)
    choose(app, ROLES)
    field(app, ".format").select("epoch_ms")
    app = press(app, "Read with these columns")
    assert len(app.error) == 2, page_text(app)
    assert not desk.store.column_mappings.exist()


def test_a_file_that_is_read_shows_what_was_inferred(upload):
    app = upload(b"date,open,high,low,close,vol\n2024-01-02,1,2,0.5,1.5,7\n2024-01-03,1,2,0.5,1.5,8\n", "plain.csv")
    assert not app.error
    app = open_form(app)
    assert field(app, ".timestamp").value == "date"
    assert field(app, ".volume").value == "vol"
    assert field(app, ".amount").value is None
    assert "First times as read: 2024-01-02 00:00:00" in page_text(app)


def test_what_a_file_is_its_content_says_and_not_its_ending(upload):
    content = b'[{"date": "2024-01-02", "open": 1, "high": 2, "low": 0.5, "close": 1.5}, ' + (
        b'{"date": "2024-01-03", "open": 1, "high": 2, "low": 0.5, "close": 1.5}]'
    )
    for name in ("candles.json", "candles.xls", "candles"):
        assert not upload(content, name).error
