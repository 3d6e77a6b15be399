import pytest

from kronos_app.errors import TooLarge, TooManyRequests, Unavailable
from kronos_app.web.transfers import Transfers


def test_bytes_are_counted_for_each_caller_and_for_all():
    transfers = Transfers(total=10, per_caller=6)
    transfers.reserve("a", 4)
    with pytest.raises(TooManyRequests):
        transfers.reserve("a", 3)
    transfers.reserve("b", 6)
    with pytest.raises(Unavailable):
        transfers.reserve("c", 1)
    transfers.release("a", 4)
    transfers.reserve("c", 4)


def test_what_is_over_the_limit_by_itself_can_never_be_sent():
    with pytest.raises(TooLarge):
        Transfers(total=10, per_caller=6).reserve("a", 7)


def test_callers_without_bytes_are_forgotten():
    transfers = Transfers(total=10, per_caller=6)
    transfers.reserve("a", 4)
    transfers.release("a", 4)
    transfers.release("b", 0)
    assert transfers._bytes == {}
