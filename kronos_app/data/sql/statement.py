"""Checks a query before a database sees it: one statement that only reads.

The database itself prevents writing (`dialects`). This check gives a clear message, and refuses the few MySQL
statements that read and yet write a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kronos_app.errors import InvalidInput
from kronos_app.i18n import Text, text

if TYPE_CHECKING:
    from sqlglot.tokenizer_core import Token

LONGEST = 20_000  # characters
_READS = ("SELECT", "WITH", "VALUES", "FROM", "TABLE", "L_PAREN")
_WRITES = ("INSERT", "UPDATE", "DELETE", "MERGE")
_GRAMMARS = {"postgresql": "postgres"}


def check(query: str, dialect: str) -> str:
    """Return the query without surrounding spaces, comments and semicolons.

    Raises `InvalidInput` for a query that is empty, too long, more than one statement, or does more than read.
    """
    if len(query) > LONGEST:
        raise _refused(text("The query is longer than {limit} characters.", limit=LONGEST))
    tokens = _tokens(query, dialect)
    while tokens and _kind(tokens[-1]) == "SEMICOLON":
        tokens.pop()
    if not tokens:
        raise InvalidInput(
            "no_query", text("The query is empty."), text("Write a SELECT statement that returns one candle per row.")
        )
    if any(_kind(token) == "SEMICOLON" for token in tokens):
        raise _refused(text("Only one statement is allowed."))
    first = _kind(tokens[0])
    verb = _main_verb(tokens) if first in _READS else tokens[0]
    if first not in _READS or _kind(verb) in _WRITES:
        raise _not_reading(verb.text.upper()[:30])
    if dialect == "mysql":
        _check_mysql(query, tokens)
    return query[tokens[0].start : tokens[-1].end + 1]


def _tokens(query: str, dialect: str) -> list[Token]:
    import sqlglot

    try:
        return list(sqlglot.tokenize(query, read=_GRAMMARS.get(dialect, dialect)))
    except sqlglot.errors.TokenError:
        raise _refused(text("The query has a quote or a comment that is not closed.")) from None


def _kind(token: Token) -> str:
    return str(token.token_type.name)


def _main_verb(tokens: Sequence[Token]) -> Token:
    """Return the first verb outside parentheses, which is what a statement beginning with WITH does."""
    depth = 0
    for token in tokens:
        depth += (_kind(token) == "L_PAREN") - (_kind(token) == "R_PAREN")
        if depth == 0 and _kind(token) in {"SELECT", "VALUES", *_WRITES}:
            return token
    return tokens[0]


def _check_mysql(query: str, tokens: Sequence[Token]) -> None:
    """Refuse SELECT … INTO, which writes a file or a variable, and comments that MySQL executes."""
    if "/*!" in query or "/*M!" in query:
        raise _refused(text("Comments that MySQL executes (/*! … */) are not allowed."))
    if any(_kind(token) == "INTO" for token in tokens):
        raise _not_reading("SELECT … INTO")


def _not_reading(word: str) -> InvalidInput:
    return _refused(text("“{word}” is not allowed: it does more than read.", word=word))


def _refused(message: Text) -> InvalidInput:
    return InvalidInput("not_a_query", message, text("Write one SELECT statement: connections are read-only."))
