"""Candles read from a database through the API."""

import sqlite3

import pandas as pd
import pytest

SECRET = "s3cret"


@pytest.fixture(autouse=True)
def secrets(tmp_path, monkeypatch):
    path = tmp_path / "market.db"
    frame = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=90).strftime("%Y-%m-%d"), "open": 10.0})
    frame = frame.assign(high=11, low=9, close=10.5, vol=range(90), code="600519")
    frame.loc[3, "high"] = 1
    with sqlite3.connect(path) as opened:
        frame.to_sql("candles", opened, index=False)
    opened.close()
    file = tmp_path / "named.toml"
    file.write_text(
        f'[connections.market]\nurl = "sqlite:///{path}"\n'
        f'[connections.gone]\nurl = "postgresql://reader:{SECRET}@127.0.0.1:1/market"\n'
    )
    monkeypatch.setenv("STREAMLIT_SECRETS_FILES", str(file))
    return file


@pytest.fixture
def read(client, finished):
    """Return a function that reads and returns the job at its end."""

    def read(**fields):
        answer = client.post("/api/v1/candles/query", json={"connection": "market"} | fields)
        assert answer.status_code == 202, answer.text
        job_id = answer.json()["job_id"]
        assert answer.headers["location"] == f"/api/v1/jobs/{job_id}"
        finished(job_id)
        return client.get(f"/api/v1/jobs/{job_id}").json()

    return read


def test_databases_are_named_and_no_more_is_told_of_them(client, secrets):
    answer = client.get("/api/v1/connections")
    assert answer.json() == {
        "connections": [{"name": "market", "dialect": "sqlite"}, {"name": "gone", "dialect": "postgresql"}]
    }
    assert client.get("/api/v1/connections/market/tables").json() == {"tables": ["candles"]}
    secrets.write_text("")
    assert client.get("/api/v1/connections").json() == {"connections": []}


@pytest.mark.parametrize("origin", [{"table": "candles"}, {"query": "SELECT * FROM candles"}])
def test_candles_of_a_database_end_as_a_candle_set(read, client, origin):
    job = read(**origin, repair="drop", timezone="Asia/Shanghai", start="2024-01-03", end="2024-02-01")
    assert (job["status"], job["error"]) == ("succeeded", None)
    told = client.get(f"/api/v1/candles/{job['candles_id']}").json()
    assert (told["rows"], told["name"], told["source"], told["timezone"]) == (28, "600519", "sql", "Asia/Shanghai")
    assert told["columns"] == ["open", "high", "low", "close", "volume"]


def test_faults_are_refused_until_a_repair_is_chosen(read):
    refused = read(table="candles")
    assert (refused["status"], refused["candles_id"]) == ("failed", None)
    assert "row 4" in refused["error"]["message"]


def test_a_failure_of_the_database_is_told_without_its_password(read, client, caplog):
    error = read(connection="gone", table="candles")["error"]
    assert error["code"] == "sql_unreachable"
    answer = client.get("/api/v1/connections/gone/tables")
    assert answer.status_code == 503
    for text in (str(error), answer.text, caplog.text):
        assert SECRET not in text
    assert "127.0.0.1" not in str(error) + answer.text


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"connection": "other", "table": "candles"}, 404, "unknown_connection"),
        ({}, 422, "table_or_query"),
        ({"table": "candles", "query": "SELECT 1"}, 422, "table_or_query"),
        ({"query": "DELETE FROM candles"}, 422, "not_a_query"),
        ({"query": ""}, 422, "no_query"),
        ({"table": "candles", "columns": {"price": "open"}}, 422, "unknown_column"),
        ({"table": "candles", "timezone": "Mars"}, 422, "unknown_timezone"),
        ({"table": "candles", "start": "2024-02-01", "end": "2024-01-01"}, 422, "empty_range"),
        ({"table": "candles", "url": "sqlite:///other.db"}, 422, "invalid_field"),
        ({"table": "candles", "repair": "pray"}, 422, "invalid_field"),
    ],
)
def test_what_cannot_be_read_is_refused_at_once(client, refused, fields, status, code):
    body = {"connection": "market"} | fields
    assert refused(client.post("/api/v1/candles/query", json=body), status)["code"] == code


def test_a_query_that_takes_too_long_is_stopped(desk, finished, settings):
    from kronos_app.data.sql.process import QueryProcesses
    from kronos_app.data.sql.request import REQUEST, SqlRequest
    from kronos_app.services.candles.sql import Connections, SqlWorker

    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    job = desk.jobs.get(desk.sql.submit("market", SqlRequest(query=endless)))
    assert REQUEST.validate_python(job.request) == SqlRequest(query=endless)
    desk.jobs.cancel(job.id)
    assert finished(job.id).status == "cancelled"
    impatient = SqlWorker(
        settings.model_copy(update={"query_seconds": 1}), Connections(), QueryProcesses(1), None, desk.candles
    )
    with pytest.raises(Exception, match="longer than 1 seconds"):
        impatient.run(job.request, lambda done, total: None)
