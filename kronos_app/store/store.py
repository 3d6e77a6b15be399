"""The store: all repositories of one database."""

from __future__ import annotations

from kronos_app.errors import Unavailable
from kronos_app.i18n import Text
from kronos_app.store.column_mappings import ColumnMappings
from kronos_app.store.database import Database
from kronos_app.store.forecasts import Forecasts
from kronos_app.store.ledger import Follows, Ledger
from kronos_app.store.registry import RegisteredModels
from kronos_app.store.repositories import CandleSets, Jobs
from kronos_app.store.series import Series
from kronos_app.store.watchlists import Watchlists


class Store:
    """Series, candle sets, forecasts, jobs and registered models in one database; thread-safe.

    Each method raises `Unavailable` while the database does not answer.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.candles = CandleSets(database)
        self.column_mappings = ColumnMappings(database)
        self.series = Series(database)
        self.watchlists = Watchlists(database)
        self.forecasts = Forecasts(database)
        self.jobs = Jobs(database)
        self.ledger = Ledger(database)
        self.follows = Follows(database)
        self.registered = RegisteredModels(database)

    @classmethod
    def open(cls, url: str) -> Store:
        """Return the store at a SQLAlchemy URL; a missing file and missing tables are created.

        A damaged file is moved aside and replaced, and `notice` says so. While a database cannot be used, `problem`
        has the reason and every call raises it.

        Raises InvalidInput: `url` is no database address.
        """
        return cls(Database(url))

    @property
    def notice(self) -> Text | None:
        """Return what the user should know about the database, such as that it was moved aside or is locked."""
        return self._database.notice

    @property
    def problem(self) -> Unavailable | None:
        """Return why nothing can be saved now, None if it can."""
        return self._database.problem

    def close(self) -> None:
        """Close the database."""
        self._database.close()
