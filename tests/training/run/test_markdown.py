"""Text of users stays text in Markdown."""

import html
import re

import pytest
from markdown_it import MarkdownIt

from training.run.markdown import Markup, code, code_block, escape, table

HOSTILE = [
    "![x](https://evil.example/a.png)",
    "[x](javascript:alert(1))",
    "<img src=https://evil.example/a.png onerror=alert(1)>",
    "<script>alert(1)</script>",
    "https://evil.example/a",
    "www.evil.example",
    "<https://evil.example>",
    "someone@evil.example",
    "a\n\n# heading\n\n![x](https://evil.example/a.png)",
    "| a | b |\n|---|---|\n| ![x](y) | c |",
    "`code` and ``more``",
    "$x^2$ :red[word] :smile: ~~gone~~ __bold__ *it*",
    "&lt;img src=x&gt; &#33;",
    "- item",
    "1. item",
    "+ item",
    "===",
    "---",
    "> quote",
    "\\![x](https://evil.example/a.png)",
    "[x]: https://evil.example",
    "x](https://evil.example) ![",
]


def rendered(text):
    return MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(text)


def words(text):
    return " ".join(text.split())


@pytest.mark.parametrize("hostile", HOSTILE)
def test_text_is_shown_as_it_is(hostile):
    assert rendered(escape(hostile)) == f"<p>{html.escape(words(hostile)).replace('&#x27;', chr(39))}</p>\n"


@pytest.mark.parametrize("hostile", HOSTILE)
def test_cells_stay_cells(hostile):
    page = rendered(table(("name", "value"), [(hostile, 1), ("next", code(hostile)), ("last", Markup("**b**"))]))
    assert not re.findall("<(?:img|a|script|h1|li)[ >]", page)
    assert page.count("<tr>") == 4
    assert page.count("<td>") == 6
    assert "<strong>b</strong>" in page


@pytest.mark.parametrize("hostile", ["```\n![x](https://evil.example/a.png)", "````\n# a", "~~~"])
def test_a_block_of_code_ends_at_its_own_fence(hostile):
    page = rendered(code_block(hostile, "yaml"))
    assert "<img" not in page
    assert page.startswith('<pre><code class="language-yaml">')
    assert page.count("</code></pre>") == 1


def test_plain_words_numbers_and_times_are_left_as_they_are():
    for plain in ("AAPL and MSFT", "2024-05-01", "09:30", "0.5 %", "600519.SH", "贵州茅台"):
        assert escape(plain) == plain
