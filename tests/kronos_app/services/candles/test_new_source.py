"""The source that docs/sources.md shows, run as it stands there."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kronos_app.data.source import FetchRequest
from kronos_app.errors import NotFound

PAGE = Path(__file__).parents[4] / "docs" / "sources.md"


@pytest.fixture(scope="module")
def shown():
    """Return the module and the line of the registry, as the document has them."""
    module, line = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return module, line


@pytest.fixture
def desk(settings, make_spec, make_frame, shown):
    """Return a desk with the source, and two files in its folder."""
    from kronos_app.services.desk import Desk

    names = {}
    exec(compile(shown[0], PAGE.name, "exec"), names)
    exec("from kronos_app.data.sources import SourceFamily", names)
    folder = settings.home / "csv"
    folder.mkdir(parents=True)
    for seed, name in enumerate(("AAA", "ABB")):
        make_frame(50, seed=seed, freq="D").to_csv(folder / f"{name}.csv", index=False)
    desk = Desk(settings, {"tiny": make_spec()}, [eval(shown[1], names)])
    desk.start()
    yield desk
    desk.close()


def test_it_is_as_short_as_it_claims(shown):
    assert len([line for line in shown[0].splitlines() if line]) <= 40
    assert shown[1].count("\n") == 1


def test_it_is_searched_and_fetched_from_like_any_other(desk, finished):
    assert [one.symbol for one in desk.sources.search("files", "a")] == ["AAA", "ABB"]
    assert [one.key for one in desk.sources.get("files").intervals()] == ["1d"]
    job = finished(desk.fetching.submit("files", FetchRequest("AAA", "1d", datetime(2024, 3, 11, tzinfo=UTC))))
    assert job.status == "succeeded", job.error
    candles = desk.candles.get(job.result_id).candles
    assert (candles.name, candles.source, candles.timezone, len(candles)) == ("AAA", "files", "UTC", 40)
    assert str(candles.timestamps[0]) == "2024-03-11 00:00:00"


@pytest.mark.parametrize(
    ("symbol", "start", "code"),
    [("../AAA", None, "unknown_symbol"), ("AAA", datetime(2025, 1, 1, tzinfo=UTC), "no_candles")],
)
def test_what_it_does_not_have_is_told(desk, finished, symbol, start, code):
    job = finished(desk.fetching.submit("files", FetchRequest(symbol, "1d", start)))
    assert (job.status, job.error["code"]) == ("failed", code)


def test_there_is_no_other_source_then(desk):
    with pytest.raises(NotFound):
        desk.sources.search("yahoo", "a")
