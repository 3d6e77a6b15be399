"""The real server, met as strangers meet it: with sockets and websockets of their own."""

from __future__ import annotations

import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from kronos_app.store import Store
from tests.servers.desk import BEARER, MB, ROOT, SECONDS_TO_ANSWER, TOKEN, Served, read_answer, serving

SECONDS_TO_STOP = 40


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("served")) as served:
        yield served


def session_of(served: Served, client: httpx.Client, existing: str = "", **headers: str) -> str:
    """Connect as the page does and return the id of the session that the server gives or resumes."""
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    subprotocols = ["streamlit", "none", *([existing] if existing else [])]
    with connect(
        f"ws://{served.host}/_stcore/stream",
        additional_headers={"Cookie": cookies, **headers},
        subprotocols=subprotocols,
        max_size=None,
        open_timeout=SECONDS_TO_ANSWER,
    ) as websocket:
        websocket.send(
            BackMsg(rerun_script={"query_string": "", "page_script_hash": "", "page_name": ""}).SerializeToString()
        )
        while True:
            message = ForwardMsg.FromString(websocket.recv(SECONDS_TO_ANSWER))
            if message.WhichOneof("type") == "new_session":
                return message.new_session.initialize.session_id


def test_big_bodies_without_the_token_cost_neither_memory_nor_disk(served):
    memory, written = served.used
    head = (
        f"POST /api/v1/candles HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: {195 * MB}"
    )
    with ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(served.send, head, b"x" * MB, 195) for _ in range(8)]
    assert [answer.result().split(b"\r\n")[0] for answer in sent] == [b"HTTP/1.1 401 Unauthorized"] * 8
    assert all(b'"unauthorized"' in answer.result() for answer in sent)
    assert served.used[0] - memory < 60 * MB
    assert served.used[1] - written < 20 * MB


def test_uploads_and_websockets_without_the_password_are_refused_unread(served):
    memory, _ = served.used
    head = f"PUT /_stcore/upload_file/any/file HTTP/1.1\r\nContent-Length: {195 * MB}"
    with ThreadPoolExecutor(4) as pool:
        sent = [pool.submit(served.send, head, b"x" * MB, 195) for _ in range(4)]
    assert [answer.result().split(b"\r\n")[0] for answer in sent] == [b"HTTP/1.1 401 Unauthorized"] * 4
    assert served.used[0] - memory < 60 * MB
    with served.client(admitted=False) as stranger, pytest.raises(InvalidStatus) as caught:
        session_of(served, stranger)
    assert caught.value.response.status_code == 403


def test_the_id_of_a_session_alone_resumes_nothing(served):
    with served.client() as owner, served.client() as other:
        session = session_of(served, owner)
        assert session_of(served, other, session) != session
        assert session_of(served, other, session, **{"X-Kronos-Browser": "owner"}) != session
        with served.client(admitted=False) as stranger, pytest.raises(InvalidStatus):
            session_of(served, stranger, session)
        assert session_of(served, owner, session) == session


def test_a_host_of_others_is_refused(served):
    answer = httpx.get(f"http://127.0.0.1:{served.port}/api/v1/models", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (421, "unknown_host")


def test_addresses_that_clients_claim_are_not_believed(served):
    codes = [
        httpx.get(
            f"http://{served.host}/api/v1/models",
            headers={"Authorization": "Bearer guess", "X-Forwarded-For": f"10.0.0.{number}"},
        ).status_code
        for number in range(11)
    ]
    assert codes == [401] * 10 + [429]


def test_the_server_stops_in_time_with_half_sent_uploads_open_and_resumes_its_jobs(tmp_path):
    with serving(tmp_path) as served:
        with served.client(admitted=False) as client:
            with (ROOT / "tests" / "golden" / "candles.csv").open("rb") as file:
                saved = client.post("/api/v1/candles", files={"file": file}, headers=BEARER).raise_for_status().json()
            request = {
                "candles_id": saved["id"],
                "lookback": 60,
                "horizon": 200,
                "samples": 200,
                "model": "kronos-nano",
            }
            jobs = [
                client.post("/api/v1/forecasts", json={**request, "seed": seed}, headers=BEARER)
                .raise_for_status()
                .json()
                for seed in range(3)
            ]
        half = (
            f"POST /api/v1/candles HTTP/1.1\r\nHost: {served.host}\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {MB}\r\n\r\n--x"
        )
        heads = [half] * 4 + ["POST /api/v1/candles HTTP/1.1\r\nHost: "]
        connections = [socket.create_connection(("127.0.0.1", served.port), SECONDS_TO_ANSWER) for _ in heads]
        for connection, head in zip(connections, heads, strict=True):
            connection.sendall(head.encode())
        time.sleep(0.5)
        began = time.monotonic()
        served.process.send_signal(signal.SIGTERM)
        refused = [read_answer(connection) for connection in connections]
        served.process.wait(SECONDS_TO_STOP)
        assert time.monotonic() - began < SECONDS_TO_STOP
        assert all(answer.startswith(b"HTTP/1.1 503") and b'"stopping"' in answer for answer in refused[:4])
        for connection in connections:
            connection.close()
    store = Store.open(f"duckdb:///{served.home / 'kronos.duckdb'}")
    states = {job.id: job.status for job in store.jobs.list()}
    store.close()
    assert {states[job["job_id"]] for job in jobs} <= {"queued", "succeeded"}
    assert "queued" in states.values()
