"""Columns, times and units that a form states, and the preview of a file."""

import json

import pytest

ODD = b"when;A;B;K;D;traded\n31.01.2024 09:30;10;12;9;11;5\n31.01.2024 09:31;11;13;10;12;6\n"
STATED = {"A": "open", "B": "high", "K": "low", "D": "close", "traded": "volume", "when": "timestamp"}


@pytest.fixture
def send(client):
    """Return a function that posts a file and form fields to a route of candles."""

    def send(content, route="", **fields):
        data = {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}
        return client.post(f"/api/v1/candles{route}", files=[("file", ("odd.csv", content))], data=data)

    return send


def test_what_a_form_states_is_how_a_file_is_read(send, client):
    answer = send(
        ODD, columns=STATED, time_format="%d.%m.%Y %H:%M", timezone="Europe/Berlin", units={"volume": "thousand"}
    )
    assert answer.status_code == 201
    saved = client.get(f"/api/v1/candles/{answer.json()['id']}?candles=true").json()
    assert saved["timezone"] == "Europe/Berlin"
    assert saved["candles"]["timestamp"] == ["2024-01-31T09:30:00", "2024-01-31T09:31:00"]
    assert saved["candles"]["close"] == [11, 12]
    assert saved["candles"]["volume"] == [5000, 6000]


def test_a_refusal_names_the_unused_columns_and_the_field_that_states_them(send, refused):
    error = refused(send(ODD), 422)
    assert all(word in error["hint"] for word in ("columns=", "Choose the columns", "“A”", "“traded”"))


def test_a_preview_shows_a_file_that_would_be_refused(send, desk):
    shown = send(ODD, "/preview", columns={"A": "open"}).json()
    assert [(column["header"], column["role"]) for column in shown["columns"]][:2] == [
        ("when", "timestamp"),
        ("A", "open"),
    ]
    assert shown["columns"][4]["cells"] == ["11", "12"]
    assert shown["unused"] == ["B", "K", "D", "traded"]
    assert shown["problem"]["code"] == "missing_columns"
    assert "“B”" in shown["problem"]["message"]
    shown = send(ODD, "/preview", columns=STATED, timezone="Asia/Shanghai").json()
    assert shown["problem"] is None
    assert shown["times"] == ["2024-01-31T09:30:00", "2024-01-31T09:31:00"]
    assert (shown["timezone"], shown["rows"], shown["mapping"]["columns"]) == ("Asia/Shanghai", [2, 3], STATED)
    assert desk.candles.list() == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"columns": "[1]"}, ["columns"]),
        ({"columns": "{"}, ["columns"]),
        ({"columns": {"A": "opening"}}, ["columns", "“A”", "“opening”"]),
        ({"columns": {"A": ["open"]}}, ["columns", "“A”"]),
        ({"columns": {"A": "open", "B": "open"}}, ["columns", "open", "“A”", "“B”"]),
        ({"columns": {"when": "timestamp", "A": "clock"}}, ["columns", "timestamp", "clock"]),
        ({"columns": {"Q": "open"}}, ["“Q”", "“traded”"]),
        ({"timezone": "Mars/Base"}, ["Mars/Base"]),
        ({"units": {"volume": "boxes"}}, ["units", "“boxes”", "volume"]),
        ({"units": {"volume": -1}}, ["units", "volume"]),
        ({"units": {"volume": True}}, ["units", "volume"]),
        ({"units": {"symbol": 1}}, ["units", "“symbol”"]),
        ({"time_format": "x" * 101}, ["time_format"]),
    ],
)
@pytest.mark.parametrize("route", ["", "/preview"])
def test_a_field_that_states_nonsense_is_named(send, refused, route, fields, words):
    error = refused(send(ODD, route, **fields), 422)
    assert all(word in error["message"] for word in words)
