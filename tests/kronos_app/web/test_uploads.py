MB = 1024 * 1024
PATH = "/_stcore/upload_file/session/file"


def browser_of(client):
    """Return the id that the server gave the client's browser."""
    client.get("/", headers={"Accept": "text/html"})
    with client.websocket_connect("ws://localhost:8501/_stcore/stream") as websocket:
        return websocket.receive_text()


def test_a_browser_uploads_to_its_own_session_alone(client, desk_state, refused):
    desk_state.owners["session"] = browser_of(client)
    assert client.put(PATH, content=b"12345").json()["bytes"] == 5
    assert client.delete(PATH).status_code == 200
    desk_state.owners["session"] = "another browser"
    assert refused(client.put(PATH, content=b"12345"), 403) == "not_your_session"
    assert refused(client.delete(PATH), 403) == "not_your_session"


def test_without_a_cookie_or_a_connected_session_nothing_is_uploaded(client, desk_state, refused):
    refused(client.put(PATH, content=b"12345"), 403)
    desk_state.owners["session"] = None
    refused(client.put(PATH, content=b"12345"), 403)


def test_uploads_below_another_folder_are_judged_alike(client, desk_state, refused):
    desk_state.owners["session"] = "another browser"
    browser_of(client)
    assert refused(client.post("/desk" + PATH, content=b"12345"), 403) == "not_your_session"


def test_files_that_pages_keep_count_in_the_limits(serve, desk_state, refused):
    client = serve(max_upload_mb=2)  # 4 MB for one browser, 10 MB for all
    browser = desk_state.owners["session"] = browser_of(client)
    desk_state.held = {browser: 3 * MB}
    assert client.put(PATH, content=b"x" * (MB - 1000)).status_code == 200
    response = client.put(PATH, content=b"x" * 2 * MB)
    assert (refused(response, 429), response.headers["retry-after"]) == ("too_many_uploads", "5")
    desk_state.held = {"another": 9 * MB}
    response = client.put(PATH, content=b"x" * 2 * MB)
    assert (refused(response, 503), response.headers["retry-after"]) == ("uploads_busy", "5")
