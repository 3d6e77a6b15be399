"""A reader of pages that stops a fetch or a query at the first page."""

from typing import NoReturn


class Stopped(Exception):
    pass


def stop_at_page(_rows: int) -> NoReturn:
    raise Stopped
