"""Written forms of a time as patterns, and spellings that are rewritten as one of them first."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kronos_app.data.upload.cells import any_match

SAMPLE = 1000

_ZONE = (
    r"(?P<z>[A-Za-z]{1,3}[+-]\d{1,2}(?::?\d{2})?|[+-]\d{1,2}(?::?\d{2}){0,2}"
    r"|[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*)"
)
_TIME = r"(?P<H>\d{1,2}):(?P<M>\d{1,2})(?::(?P<S>\d{1,2})(?:[.,:](?P<f>\d{1,9}))?)?"
_CLOCK = rf"(?:(?:[T_:-]|[ ,;]+T?){_TIME}\s*(?P<p>[AaPp][Mm]\b)?)?\s*{_ZONE}?$"
_MONTH = r"(?P<n>[^\d\s\-/.,]{3,12})"
_SEPARATOR = r"[-/.年月]"

# RE2 syntax: y m d year, month, day; a b c three numbers in an order that the column decides; n the name of a month;
# H M S f p the time of day, z the zone.
PATTERNS = (
    rf"^(?P<y>\d{{4}})[-/.年](?P<m>\d{{1,2}})[-/.月](?P<d>\d{{1,2}})日?{_CLOCK}",
    rf"^(?P<y>\d{{4}})(?P<m>\d{{2}})(?P<d>\d{{2}})[T ;,_-]+(?P<H>\d{{2}}):?(?P<M>\d{{2}})"
    rf"(?::?(?P<S>\d{{2}})(?:[.,](?P<f>\d{{1,9}}))?)?\s*{_ZONE}?$",
    rf"^(?P<y>\d{{4}})(?P<m>\d{{2}})(?P<d>\d{{2}}){_CLOCK}",
    r"^(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})(?P<H>\d{2})(?P<M>\d{2})(?:(?P<S>\d{2})(?P<f>\d{3}|\d{6})?)?$",
    rf"^(?P<a>\d{{1,3}})(?P<s>{_SEPARATOR})(?P<b>\d{{1,2}}){_SEPARATOR}(?P<c>\d{{4}}|\d{{1,2}})日?{_CLOCK}",
    rf"^(?P<d>\d{{1,2}})[-/ .]*{_MONTH}[-/ .,]*(?P<y>\d{{4}}|\d{{2}}){_CLOCK}",
    rf"^{_MONTH}[-/. ]+(?P<d>\d{{1,2}})(?:, *|[-/ ]+)(?P<y>\d{{4}}){_CLOCK}",
    rf"^(?P<y>\d{{4}})[-/ .]*{_MONTH}[-/ .]*(?P<d>\d{{1,2}}){_CLOCK}",
    rf"^{_MONTH}[-/. ]+(?P<d>\d{{1,2}}) {_TIME}(?: {_ZONE})? (?P<y>\d{{4}})$",  # as C writes it
    r"^(?P<y>\d{4})[-/.年](?P<m>\d{1,2})月?$",
    r"^(?P<m>\d{1,2})[-/.](?P<y>\d{4})$",
    rf"^{_MONTH}[-/. ,]*(?P<y>\d{{4}}|\d{{2}})$",
)

_WEEKDAY = r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?"
_EASTERN_WEEKDAY = r"(?:星期|周|週|礼拜)?[一二三四五六日天月火水木金土월화수목금토일](?:曜日?|요일)?"
# What is replaced, in this order, in cells that match no pattern as they are.
_REPLACEMENTS = (
    (r"""^[="'\s]+|["'*\s]+$""", ""),  # text as a spreadsheet protects it, and marks of footnotes
    (rf"(?i)^{_WEEKDAY}[,\s]\s*", ""),
    (r"(?i)^(?:mo|di|mi|do|fr|sa|so)[.,]\s*", ""),
    (rf"^{_EASTERN_WEEKDAY}[,\s]\s*", ""),
    (r"^(\d{4}) (\d{1,2}) (\d{1,2})(\s|$)", r"\1-\2-\3\4"),
    (r"^(\d{4})\s*-\s*(\d{1,2})\s*-\s*(\d{1,2})(\s|$)", r"\1-\2-\3\4"),
    (r"^(\d{4}):(\d{2}):(\d{2})[- ]", r"\1-\2-\3 "),
    (r"(?i)^(.*\d)[ ,]+(\d{1,2})[ -]?([ap]m)$", r"\1 \2:00 \3"),
    (r"^(\d{4}-\d{2}-\d{2})[-_](\d{2})[-_](\d{2})(?:[-_](\d{2}))?$", r"\1 \2:\3:\4"),
    (r"^(\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})[ T]+(\d{1,2})\.(\d{2})(?:\.(\d{2}))?$", r"\1 \2:\3:\4"),
    (r"(?:中[華华])?民[國国]\s*(\d\D)", r"00\1"),
    (r"(?:中[華华])?民[國国]\s*(\d{2}\D)", r"0\1"),
    (r"(?:中[華华])?民[國国]\s*", ""),
    (r"^(\d{2,4})\s*[年년]\s*(\d{1,2})\s*[月월]\s*(\d{1,2})\s*[日일号號]?", r"\1/\2/\3"),
    (r"^(\d{4})\s*\.\s*(\d{1,2})\s*\.\s*(\d{1,2})\s*\.?", r"\1/\2/\3"),
    (r"^(\d{4})\s*[年년]\s*(\d{1,2})\s*[月월]$", r"\1-\2"),
    (rf"(?i)[,;\s]*\(?\b{_WEEKDAY}\)?(,|\s|$)", r"\1"),
    (rf"(\d)[,;\s]*[(\[]?{_EASTERN_WEEKDAY}[)\]]?(\s|$)", r"\1\2"),
    (r"(\d{1,2})\s*[時时点點시]\s*(\d{1,2})\s*[分분]?\s*(?:(\d{1,2})\s*[秒초])?", r"\1:\2:\3"),
    (r"(\d:\d{1,2}):(\s|$)", r"\1\2"),
    (r"\s*(?:上午|午前|오전)\s*(\d[\d:.]*)", r" \1 AM"),
    (r"\s*(?:下午|午後|오후)\s*(\d[\d:.]*)", r" \1 PM"),
    (r"(?i)([ap])\.m\.", r"\1m"),
    (r"(\d)(?:st|nd|rd|th)\b", r"\1"),
    (r"([+-]\d{2}:?\d{2}|Z)\s*[(\[].*[)\]]$", r"\1"),  # an offset, and the zone's name once more
    (r"\s*[(\[]([A-Za-z_/+\-0-9]+)[)\]]$", r" \1"),
    (r"^(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}[T ]+\d{2})(\d{2})(\d{2})?$", r"\1:\2:\3"),
    (r"(\d{2}:\d{2}):$", r"\1"),
)  # fmt: skip


def normalize(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return cells without weekdays and quotation marks, other spellings as the patterns have them.

    Of many cells, a sample shows which replacements are needed.
    """
    cells = pc.utf8_normalize(cells, form="NFKC")
    sample = take_sample(cells)
    for pattern, replacement in _REPLACEMENTS:
        if any_match(sample, pattern):
            sample = pc.replace_substring_regex(sample, pattern, replacement)
            cells = pc.replace_substring_regex(cells, pattern, replacement)
    return pc.utf8_trim_whitespace(cells)


def take_sample(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return all of some cells, and some of many."""
    if len(cells) <= SAMPLE:
        return cells
    return cells.take(pa.array(np.linspace(0, len(cells) - 1, SAMPLE).astype(np.int64)))
