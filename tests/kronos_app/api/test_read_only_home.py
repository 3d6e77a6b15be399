"""A home folder that cannot be written: what is stored can be read, all else is refused with the folder's name."""

import os
import shutil
from pathlib import Path
from tempfile import mkdtemp

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from kronos_app.api.app import create_api
from kronos_app.services.desk import Desk
from kronos_app.settings import Settings


def _load_what_is_loaded_late(desk):
    """Import what calls import when they need it: the other user may not be allowed to read this Python."""
    import encodings.ascii

    assert desk.models.list()
    assert encodings.ascii.getregentry().name == "ascii"


TOKEN = {"Authorization": "Bearer token"}


@pytest.fixture
def read_only(make_spec, make_frame):
    """Return a client of a desk whose home cannot be written, the folder, and the id of the data set in it."""
    # Not tmp_path: its parents are closed to the user that this test turns into.
    outer = Path(mkdtemp())
    outer.chmod(0o755)
    settings = Settings(home=outer / "home", threads=1, api_token=SecretStr("token"))
    desk = Desk(settings, {"tiny": make_spec()})
    desk.start()
    saved = desk.candles.keep(desk.candles.read(make_frame(100).to_csv(index=False).encode(), "walk.csv"))
    _load_what_is_loaded_late(desk)
    desk.close()
    for path in (*settings.home.rglob("*"), settings.home):
        path.chmod(0o555 if path.is_dir() else 0o444)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        desk = Desk(settings, {"tiny": make_spec()})
        desk.start()
        yield (
            TestClient(create_api(lambda: desk, settings), raise_server_exceptions=False, headers=TOKEN),
            settings.home,
            saved.id,
        )
        desk.close()
    finally:
        if root:
            os.seteuid(0)
        settings.home.chmod(0o755)
        shutil.rmtree(outer)


def test_what_is_stored_can_be_read_and_nothing_else_is_a_server_error(read_only, make_frame, make_config):
    client, home, candles_id = read_only
    assert client.get("/v1/candles").json()["total"] == 1
    assert client.get(f"/v1/candles/{candles_id}").json()["rows"] == 100
    for name in ("forecasts", "jobs", "ledger", "series", "runs", "evaluations", "backtests"):
        assert client.get(f"/v1/{name}").status_code == 200, name
    data = {"kind": "candle_sets", "candle_sets": [candles_id]}
    settings = {"lookback": 20, "horizon": 5}
    refused = [
        client.post("/v1/candles", files={"file": ("a.csv", make_frame(60, seed=2).to_csv(index=False).encode())}),
        client.post("/v1/forecasts", json={"candles_id": candles_id, "model": "tiny", **settings}),
        client.post("/v1/candles/fetch", json={"source": "yahoo", "symbol": "AAPL"}),
        client.post("/v1/evaluations", json={"data": data, "models": ["tiny"], **settings}),
        client.post("/v1/backtests", json={"data": data, "model": "tiny", **settings}),
        client.post("/v1/runs", json={"data": data, "config": make_config()}),
        client.put("/v1/watchlists/a", json={"entries": []}),
    ]
    for response in refused:
        assert response.status_code == 503, response.text
        assert "internal_error" not in response.text
        assert response.json()["error"]["hint"]
    told = client.get("/v1/health").json()
    assert told["store"] == "up", told
    assert str(home) in told["store_notice"], told
