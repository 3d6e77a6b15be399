"""What a user wrote, looked at before a database sees it: one statement that reads.

That nothing is written, the database itself has to hold (`session`). This is for a message that says what is
wrong, and for the few statements of MySQL that read and yet write a file.
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
    """Return the query without spaces, comments and semicolons around it.

    Parameters
    ----------
    query
        As a user wrote it.
    dialect
        `postgresql`, `mysql`, `sqlite` or `duckdb`.

    Raises
    ------
    InvalidInput
        It is empty, too long, several statements, or one that does not only read.
    """
    if len(query) > LONGEST:
        raise _refused(text("The query is longer than {limit} characters.", limit=LONGEST))
    tokens = _tokens(query, dialect)
    while tokens and _kind(tokens[-1]) == "SEMICOLON":
        tokens.pop()
    if not tokens:
        raise InvalidInput(
            "no_query", text("There is no query yet."), text("Write a SELECT that gives one candle a row.")
        )
    if any(_kind(token) == "SEMICOLON" for token in tokens):
        raise _refused(text("These are several statements, and only one is allowed."))
    if _kind(tokens[0]) not in _READS or _main_verb(tokens) in _WRITES:
        raise _refused(text("“{word}” is not for reading.", word=_verb_as_written(tokens)))
    if dialect == "mysql":
        _check_mysql(query, tokens)
    return query[tokens[0].start : tokens[-1].end + 1]


def _tokens(query: str, dialect: str) -> list[Token]:
    import sqlglot

    try:
        return list(sqlglot.tokenize(query, read=_GRAMMARS.get(dialect, dialect)))
    except sqlglot.errors.TokenError:
        raise _refused(text("The query has a quote or a comment that does not end.")) from None


def _kind(token: Token) -> str:
    return str(token.token_type.name)


def _main_verb(tokens: Sequence[Token]) -> str:
    """Return the first verb outside parentheses: what a statement does that begins with WITH."""
    return _kind(tokens[_main_verb_position(tokens)])


def _main_verb_position(tokens: Sequence[Token]) -> int:
    depth = 0
    for position, token in enumerate(tokens):
        depth += (_kind(token) == "L_PAREN") - (_kind(token) == "R_PAREN")
        if depth == 0 and _kind(token) in {"SELECT", "VALUES", *_WRITES}:
            return position
    return 0


def _verb_as_written(tokens: Sequence[Token]) -> str:
    where = _main_verb_position(tokens) if _kind(tokens[0]) in _READS else 0
    return tokens[where].text.upper()[:30]


def _check_mysql(query: str, tokens: Sequence[Token]) -> None:
    """Refuse SELECT … INTO, which writes a file or a variable, and comments that MySQL executes."""
    if "/*!" in query or "/*M!" in query:
        raise _refused(text("Comments that MySQL executes (/*! … */) are not allowed."))
    if any(_kind(token) == "INTO" for token in tokens):
        raise _refused(text("“{word}” is not for reading.", word="SELECT … INTO"))


def _refused(message: Text) -> InvalidInput:
    return InvalidInput("not_a_query", message, text("Write one SELECT: connections are for reading only."))
