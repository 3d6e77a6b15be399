"""Names of months in the languages of files."""

from __future__ import annotations

import unicodedata
from functools import cache

# By their beginnings without accents: English, German, French, Spanish, Italian, Portuguese, Dutch, Russian.
_BEGINNINGS = (
    ("jan", "ene", "gen", "янв"),
    ("feb", "fev", "фев"),
    ("mar", "maer", "mrz", "mae", "maa", "мар"),
    ("apr", "avr", "abr", "апр"),
    ("may", "mai", "mag", "mei", "маи", "мая"),
    ("jun", "juin", "giu", "июн"),
    ("jul", "juil", "lug", "июл"),
    ("aug", "aou", "ago", "авг"),
    ("sep", "set", "сен"),
    ("oct", "okt", "ott", "out", "окт"),
    ("nov", "ноя"),
    ("dec", "dez", "dic", "dek", "дек"),
)
_MONTHS = {beginning: month for month, names in enumerate(_BEGINNINGS, start=1) for beginning in names}


@cache
def number(name: str) -> int:
    """Return the number of a month by its name, 0 where it is none."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    letters = "".join(c for c in decomposed if not unicodedata.combining(c))
    return next((_MONTHS[letters[:length]] for length in (4, 3) if letters[:length] in _MONTHS), 0)
