"""Every kind of bad file on the Data page: what is wrong and where, in the page's words, and the page goes on."""

from __future__ import annotations

import gzip

import pytest

HEAD = "date,open,high,low,close,volume\n"
GOOD = [f"2024-01-{day:02d},10,11,9,10.5,100" for day in range(1, 21)]


def table(row_5: str = GOOD[3]) -> bytes:
    """Return a good table whose fifth row, its header being the first, is `row_5`."""
    return (HEAD + "\n".join([*GOOD[:3], row_5, *GOOD[4:]])).encode()


REFUSED = {
    "empty.csv": (b"", "is empty"),
    "header.csv": (HEAD.encode(), "no candles"),
    "fake.parquet": (b"PAR1 and nothing more", "not a readable parquet file"),
    "bomb.csv.gz": (gzip.compress(bytes(201_000_000), 1), "larger than 200 MB"),
    "lacks.csv": (b"date,open,high,close\n2024-01-01,1,2,1\n", "lacks the column(s) low"),
    "<b>=1+1.csv": (b"date,<script>,high,low,close\n2024-01-01,1,2,1,1\n", "“<script>”"),
}
FAULTY = {
    "text": ("2024-01-04,10,11,9,![x](http://x/y.png),100", "row 5, column “close”: “![x](http://x/y.png)”"),
    "infinite": ("2024-01-04,10,inf,9,10.5,100", "Column “high” is infinite in 1 row(s); first in row 5"),
    "negative": ("2024-01-04,10,11,-9,10.5,100", "a price of zero or less; first in row 5"),
    "below": ("2024-01-04,10,8,9,10.5,100", "in row 5 high 8 is below low 9"),
    "twice": ("2024-01-03,10,11,9,10,100", "repeat a time with other values; first in row 5"),
}


def put(app, name: str, content: bytes):
    app.file_uploader[0].upload(name, content, "text/csv").run()
    assert not app.exception
    return app


@pytest.fixture
def page(open_page):
    return open_page("data")


def test_a_file_that_cannot_be_used_gets_one_message_and_the_next_is_read(page):
    for name, (content, said) in REFUSED.items():
        put(page, name, content)
        assert len(page.error) == 1, name
        shown = page.error[0].value
        assert said in shown.replace("\\", ""), shown
        assert "<script>" not in shown, "Markdown must not see what a file says"
        assert not page.metric, name
    put(page, "good.csv", table())
    assert not page.error
    assert {metric.label: metric.value for metric in page.metric}["Candles"] == "20"


def test_a_fault_is_told_by_row_and_what_the_file_says_stays_plain(page, desk):
    for name, (line, said) in FAULTY.items():
        put(page, f"{name}.csv", table(line))
        shown = "\n".join(element.value for element in page.markdown)
        assert said in shown.replace("\\", ""), shown
        assert "![x](" not in shown
        assert page.radio, "a repair must be chosen"
    assert desk.candles.list() == []
