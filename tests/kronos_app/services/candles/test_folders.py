from __future__ import annotations

import pandas as pd
import pytest

from kronos_app.data.source import FetchRequest
from kronos_app.errors import InvalidInput, NotFound
from kronos_app.services.candles.sources import MOST_SERIES
from kronos_app.settings import Settings
from tests.qlib_writer import walk, write

DAYS = pd.bdate_range("2020-01-01", periods=60)


@pytest.fixture
def settings(tmp_path):
    write(tmp_path / "cn", {name: walk(DAYS, seed) for seed, name in enumerate(("SH600000", "SZ000001"))}, DAYS)
    return Settings(home=tmp_path / "home", threads=1, qlib_folders={"cn_data": tmp_path / "cn"})


def requests(*symbols):
    return [FetchRequest(symbol, "1d") for symbol in symbols]


def test_many_series_are_read_at_once_and_one_that_fails_does_not_stop_the_others(desk):
    seen = []
    found, failed = desk.sources.read_all(
        "qlib:cn_data", requests("SH600000", "nobody", "SZ000001"), on_read=seen.append
    )
    assert [draft.name for draft in found] == ["SH600000", "SZ000001"]
    assert [error.code for error in failed] == ["unknown_symbol"]
    assert seen == [1, 2, 3]


def test_there_is_a_limit_to_how_many(desk):
    with pytest.raises(InvalidInput, match="501 series"):
        desk.sources.read_all("qlib:cn_data", requests(*["SH600000"] * (MOST_SERIES + 1)))


def test_markets_and_instruments_are_those_of_the_folder(desk):
    assert desk.sources.listed("qlib:cn_data").markets() == ["all"]
    assert [one.symbol for one in desk.sources.listed("qlib:cn_data").instruments("all")] == ["SH600000", "SZ000001"]
    with pytest.raises(NotFound):
        desk.sources.listed("qlib:../../etc").markets()


def test_a_folder_is_fetched_from_like_any_other_source(desk, finished):
    job = finished(desk.fetching.submit("qlib:cn_data", FetchRequest("SH600000", "1d")))
    assert job.status == "succeeded", job.error
    assert desk.candles.get(job.result_id).candles.name == "SH600000"
